"""Stage by stage and end to end, the towers compute what openai/CLIP computes in float64 from the same file.

Recorded by tools/make_golden.py. float32 has 24 bits, an error of 6e-8 per operation; a handful of layers makes
less than 1e-6 of the largest value, so 2e-6 leaves room for other BLAS libraries and would not hide a wrong eps,
activation, mask or number of heads (each moves the result by 1e-3 or more).
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.model import ops
from numpyclip.model.clip import CLIP
from numpyclip.model.ops import Array
from numpyclip.model.resnet import ModifiedResNet
from numpyclip.model.vit import VisionTransformer

TOLERANCE = 2e-6
FILES = (
    "vit-torchscript.pt",
    "vit-state-dict.pt",
    "vit-legacy.pt",
    "vit.safetensors",
    "resnet-torchscript.pt",
    "resnet-training.pt",
    "open_clip",
)


def load(checkpoints: Path, name: str) -> tuple[CLIP, dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*: the activation is not recorded")
        model, _ = numpyclip.load(checkpoints / name)
    with np.load(checkpoints / f"{name}.npz") as golden:
        return model, dict(golden)


def assert_close(ours: Array, theirs: np.ndarray) -> None:
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()


@pytest.mark.parametrize("name", FILES)
def test_embeddings_equal_the_reference(checkpoints: Path, name: str) -> None:
    model, golden = load(checkpoints, name)
    for ours, theirs in (
        (model.encode_image(golden["image"]), golden["encode_image"]),
        (model.encode_text(golden["text"]), golden["encode_text"]),
    ):
        assert_close(ours, theirs)
        cosines = (ops.normalize(ours) * (theirs / np.linalg.norm(theirs, axis=1, keepdims=True))).sum(axis=1)
        assert cosines.min() > 0.999999


@pytest.mark.parametrize("name", FILES[:-1])
def test_logits_equal_the_reference(checkpoints: Path, name: str) -> None:
    model, golden = load(checkpoints, name)
    per_image, per_text = model(golden["image"], golden["text"])
    assert_close(per_image, golden["logits_per_image"])
    np.testing.assert_array_equal(per_text, per_image.T)


def test_vision_transformer_equals_the_reference_at_every_stage(checkpoints: Path) -> None:
    model, golden = load(checkpoints, "vit-torchscript.pt")
    visual = model.visual
    assert isinstance(visual, VisionTransformer)
    x = ops.linear(ops.patches(golden["image"], visual.config.patch_size), visual.conv1)
    conv1 = golden["stage visual.conv1"]
    assert_close(x, conv1.reshape(*conv1.shape[:2], -1).swapaxes(1, 2))
    first = np.broadcast_to(visual.class_embedding, (len(x), 1, x.shape[-1]))
    x = visual.ln_pre(np.concatenate([first, x], axis=1) + visual.positional_embedding)
    assert_close(x, golden["stage visual.ln_pre"])
    for index, block in enumerate(visual.transformer.resblocks):
        x = block(x)
        assert_close(x, golden[f"stage visual.transformer.resblocks.{index}"])
    assert_close(visual.ln_post(x[:, 0]), golden["stage visual.ln_post"])


def test_resnet_equals_the_reference_at_every_stage(checkpoints: Path) -> None:
    model, golden = load(checkpoints, "resnet-torchscript.pt")
    visual = model.visual
    assert isinstance(visual, ModifiedResNet)

    def assert_stage(x: Array, name: str) -> None:
        assert_close(x.transpose(0, 3, 1, 2), golden[f"stage visual.{name}"])

    x = golden["image"].transpose(0, 2, 3, 1)
    for index, (conv, bn) in enumerate(visual.stem, start=1):
        x = ops.relu(bn(conv(x)))
        assert_stage(x, f"relu{index}")
    x = ops.average_pool(x, 2)
    assert_stage(x, "avgpool")
    blocks = iter(visual.blocks)
    for stage, count in enumerate(visual.config.layers, start=1):
        for _ in range(count):
            x = next(blocks)(x)
        assert_stage(x, f"layer{stage}")
    assert_close(visual.attnpool(x), golden["stage visual.attnpool"])


@pytest.mark.parametrize("name", ["vit-torchscript.pt", "resnet-torchscript.pt"])
def test_text_transformer_equals_the_reference_at_every_stage(checkpoints: Path, name: str) -> None:
    model, golden = load(checkpoints, name)
    text, ids = model.text, golden["text"]
    x = text.token_embedding[ids] + text.positional_embedding
    for index, block in enumerate(text.transformer.resblocks):
        x = block(x, ops.causal_mask(ids.shape[1]))
        assert_close(x, golden[f"stage transformer.resblocks.{index}"])
    assert_close(text.ln_final(x), golden["stage ln_final"])


def test_the_wrong_activation_is_far_outside_the_tolerance(checkpoints: Path) -> None:
    right, golden = load(checkpoints, "vit.safetensors")
    wrong, _ = numpyclip.load(checkpoints / "vit.safetensors", activation="gelu")
    assert right.config.activation == "quick_gelu"
    difference = np.abs(wrong.encode_text(golden["text"]) - golden["encode_text"]).max()
    assert difference > 1000 * TOLERANCE * np.abs(golden["encode_text"]).max()
