"""The short cuts of transformers, against the transformers themselves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.vision.vit import VisionTransformer
from tests.families.altered import FAMILIES
from tests.model.golden import assert_close, load_golden

RANDOM = np.random.default_rng(0)


def columns(d: int, n: int) -> Array:
    return RANDOM.standard_normal((d, n)).astype(np.float32)


@pytest.mark.parametrize("masked", [False, True])
def test_one_token_of_a_block_is_that_of_the_whole_block(checkpoints: Path, masked: bool) -> None:
    model, _ = load_golden(checkpoints, "resnet-torchscript.pt")  # its text tower has two heads
    block = model.text.transformer.resblocks[0]
    x, mask = columns(130, 4 * 12), ops.causal_mask(12) if masked else None
    layout = TokenLayout(4, mask=mask, pooled=np.array([0, 3, 11, 5]))
    assert_close(block.pooled(x, layout), layout.pick(block(x, layout)))


def test_tokens_that_inputs_begin_with_are_computed_once_for_all(checkpoints: Path) -> None:
    model, _ = load_golden(checkpoints, "resnet-torchscript.pt")
    block = model.text.transformer.resblocks[0]
    first, own = columns(130, 3), columns(130, 4 * 5).reshape(130, 4, 5)
    once = np.concatenate([first, own.reshape(130, -1)], axis=1)
    repeated = np.concatenate([np.repeat(first[:, np.newaxis], 4, axis=1), own], axis=2).reshape(130, -1)
    rows = np.array([0, 4, 2, 2])
    layout = TokenLayout(4, 3, ops.causal_mask(8), rows)
    plain = replace(layout, shared=0, pooled=rows + 3)
    whole = block(repeated, plain).reshape(130, 4, 8)
    expected = np.concatenate([whole[:, 0, :3], whole[:, :, 3:].reshape(130, -1)], axis=1)
    assert_close(block(once, layout), expected)
    assert_close(block.pooled(once, layout), block.pooled(repeated, plain))


@pytest.mark.parametrize("name", ["timm-eva02", "timm-pe", "timm-eva02_enormous", "timm-eva01"])
def test_one_token_of_a_block_of_other_kinds_is_that_of_the_whole_block(name: str) -> None:
    """Keys that are turned by their places, a norm before the last matrix, norms that come last, keys without bias."""
    model, _ = numpyclip.load(FAMILIES / name)
    assert isinstance(model.visual, VisionTransformer)
    block = model.visual.transformer.resblocks[1]
    n = model.visual.config.tokens
    x, layout = columns(48, 3 * n), TokenLayout(3, pooled=np.array([0, n - 1, 5]))
    assert_close(block.pooled(x, layout), layout.pick(block(x, layout)))


def test_a_transformer_is_its_blocks_one_after_another(checkpoints: Path) -> None:
    model, _ = load_golden(checkpoints, "vit-torchscript.pt")
    transformer = model.text.transformer
    assert len(transformer.resblocks) == 2
    layout = TokenLayout(3, mask=ops.causal_mask(12), pooled=np.array([11, 0, 4]))
    x = whole = columns(64, 3 * 12)
    for block in transformer.resblocks.items:
        whole = block(whole, layout)
    assert_close(transformer.pooled(x, layout), layout.pick(whole))
