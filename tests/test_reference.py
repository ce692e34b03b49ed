"""The reference, against what openai/CLIP computes in float64 at every stage, and open_clip at the end."""

from pathlib import Path

import numpy as np
import pytest

from numpyclip import reference
from numpyclip.weights.read import read
from tests.model.golden import assert_close, read_golden

TOWERS = pytest.mark.parametrize("name", ["vit-torchscript.pt", "resnet-torchscript.pt"])


@TOWERS
def test_every_stage_equals_openai_clip(checkpoints: Path, name: str) -> None:
    w, golden = read_golden(checkpoints, name)
    stages = {**dict(reference.image_stages(w, golden["image"])), **dict(reference.text_stages(w, golden["text"]))}
    del stages["embedding"]  # no module's output in openai/CLIP
    for stage, x in stages.items():
        assert_close(x, golden[f"stage {stage}"])
    missing = {key.removeprefix("stage ") for key in golden if key.startswith("stage ")} - stages.keys()
    assert missing == (set() if "visual.proj" in w else {"visual.conv1"})  # compared after its norm, as visual.relu1


@TOWERS
def test_embeddings_and_logits_equal_openai_clip(checkpoints: Path, name: str) -> None:
    w, golden = read_golden(checkpoints, name)
    assert_close(reference.encode_image(w, golden["image"]), golden["encode_image"])
    assert_close(reference.encode_text(w, golden["text"]), golden["encode_text"])
    per_image, per_text = reference.clip(w, golden["image"], golden["text"])
    assert_close(per_image, golden["logits_per_image"])
    np.testing.assert_array_equal(per_text, per_image.T)


def test_with_gelu_embeddings_equal_open_clip(checkpoints: Path) -> None:
    checkpoint = read(checkpoints / "open_clip" / "open_clip_model.safetensors")
    w = {name: checkpoint.take(name) for name in checkpoint.arrays}
    with np.load(checkpoints / "open_clip.npz") as golden:
        assert_close(reference.encode_image(w, golden["image"], reference.gelu), golden["encode_image"])
        assert_close(reference.encode_text(w, golden["text"], reference.gelu), golden["encode_text"])
