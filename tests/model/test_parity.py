"""End to end, every format of checkpoint gives what openai/CLIP computes from the same file."""

from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip.model import ops
from tests.model.golden import TOLERANCE, assert_close, load_golden

FILES = (
    "vit-torchscript.pt",
    "vit-state-dict.pt",
    "vit-legacy.pt",
    "vit.safetensors",
    "resnet-torchscript.pt",
    "resnet-training.pt",
    "open_clip",
)


@pytest.mark.parametrize("name", FILES)
def test_embeddings_equal_the_reference(checkpoints: Path, name: str) -> None:
    model, golden = load_golden(checkpoints, name)
    for ours, theirs in (
        (model.encode_image(golden["image"]), golden["encode_image"]),
        (model.encode_text(golden["text"]), golden["encode_text"]),
    ):
        assert_close(ours, theirs)
        cosines = (ops.normalize(ours) * (theirs / np.linalg.norm(theirs, axis=1, keepdims=True))).sum(axis=1)
        assert cosines.min() > 0.999999


@pytest.mark.parametrize("name", FILES[:-1])
def test_logits_equal_the_reference(checkpoints: Path, name: str) -> None:
    model, golden = load_golden(checkpoints, name)
    per_image, per_text = model(golden["image"], golden["text"])
    assert_close(per_image, golden["logits_per_image"])
    np.testing.assert_array_equal(per_text, per_image.T)


def test_the_wrong_activation_is_far_outside_the_tolerance(checkpoints: Path) -> None:
    right, golden = load_golden(checkpoints, "vit.safetensors")
    wrong, _ = numpyclip.load(checkpoints / "vit.safetensors", activation="gelu")
    assert right.config.activation == "quick_gelu"
    difference = np.abs(wrong.encode_text(golden["text"]) - golden["encode_text"]).max()
    assert difference > 1000 * TOLERANCE * np.abs(golden["encode_text"]).max()
