"""The short cuts of layers, against the layers themselves."""

from pathlib import Path

import numpy as np
import pytest

from numpyclip.model import ops
from numpyclip.model.layers import pick
from tests.model.golden import assert_close, load_golden


def test_pick_takes_one_token_of_each_input() -> None:
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    assert pick(x, np.array([2, 0])).tolist() == [[4, 5], [6, 7]]


@pytest.mark.parametrize("masked", [False, True])
def test_one_token_of_a_block_is_that_of_the_whole_block(checkpoints: Path, masked: bool) -> None:
    model, _ = load_golden(checkpoints, "resnet-torchscript.pt")  # its text tower has two heads
    block = model.text.transformer.resblocks[0]
    x = np.random.default_rng(0).standard_normal((4, 12, 130)).astype(np.float32)
    mask, rows = ops.causal_mask(12) if masked else None, np.array([0, 3, 11, 5])
    assert_close(block.one(x, rows, mask), pick(block(x, mask), rows))


def test_a_transformer_is_its_blocks_one_after_another(checkpoints: Path) -> None:
    model, _ = load_golden(checkpoints, "vit-torchscript.pt")
    transformer = model.text.transformer
    assert len(transformer.resblocks) == 2
    x = np.random.default_rng(0).standard_normal((3, 12, 64)).astype(np.float32)
    mask, rows, whole = ops.causal_mask(12), np.array([11, 0, 4]), x
    for block in transformer.resblocks:
        whole = block(whole, mask)
    assert_close(transformer(x, rows, mask), pick(whole, rows))
