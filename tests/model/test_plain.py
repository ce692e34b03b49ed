"""The oracle itself, against what openai/CLIP computes in float64 at every stage."""

from pathlib import Path

import pytest

from tests.model import plain
from tests.model.golden import assert_close, read_golden


@pytest.mark.parametrize("name", ["vit-torchscript.pt", "resnet-torchscript.pt"])
def test_plain_towers_equal_the_reference_at_every_stage(checkpoints: Path, name: str) -> None:
    checkpoint, config, golden = read_golden(checkpoints, name)
    compared = set()
    towers = (
        (plain.vision_stages(checkpoint, config, golden["image"]), golden["encode_image"]),
        (plain.text_stages(checkpoint, config, golden["text"]), golden["encode_text"]),
    )
    for stages, embedding in towers:
        for stage, x in stages:
            expected = embedding if stage == "embedding" else golden[f"stage {stage}"]
            if expected.ndim == 4:  # (b, c, y, x)
                expected = expected.transpose(0, 2, 3, 1)
            assert_close(x, expected.reshape(x.shape))
            compared.add(f"stage {stage}")
    assert compared >= {key for key in golden if key.startswith("stage ")} - {"stage visual.conv1"}
