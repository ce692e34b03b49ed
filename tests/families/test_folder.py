"""Folders without a description."""

import shutil
from pathlib import Path

import pytest

from numpyclip.errors import CheckpointError
from numpyclip.families.folder import only_file
from numpyclip.families.layouts import read_described, wanted
from tests.weights.forged import GOLDEN


def test_a_folder_without_a_description_may_hold_one_file(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "vit-state-dict.pt", tmp_path / "epoch_3.pt")
    (tmp_path / "notes.txt").write_text("more")
    assert read_described(tmp_path) is None
    assert only_file(tmp_path).name == "epoch_3.pt"
    shutil.copy(GOLDEN / "vit-state-dict.pt", tmp_path / "epoch_4.pt")
    with pytest.raises(CheckpointError, match=r"2 files of weights \(epoch_3.pt, epoch_4.pt\)"):
        only_file(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none"):
        only_file(tmp_path)


OPEN_CLIP = ("open_clip_config.json", "open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TRANSFORMERS = ("config.json", "model.safetensors", "pytorch_model.bin")


@pytest.mark.parametrize(
    ("names", "weights"),
    [
        ((*OPEN_CLIP, *TRANSFORMERS), ["open_clip_model.safetensors"]),
        (("open_clip_config.json", "open_clip_pytorch_model.bin", *TRANSFORMERS), ["open_clip_pytorch_model.bin"]),
        (TRANSFORMERS, ["model.safetensors"]),
        (("config.json", "pytorch_model.bin"), ["pytorch_model.bin"]),
        (("config.json", "open_clip_model.safetensors", "model.safetensors"), ["model.safetensors"]),
        (("open_clip_model.safetensors", "pytorch_model.bin.index.json"), ["open_clip_model.safetensors"]),
        (("epoch_32.pt", "README.md"), ["epoch_32.pt"]),
        (("epoch_31.pt", "epoch_32.pt"), []),
        (("config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"), []),
        (("config.json", "model-00001-of-00001.safetensors", "model-00001-of-00002.safetensors"), []),
        (("README.md", "config.json"), []),
    ],
)
def test_one_set_of_weights_is_wanted_in_the_order_in_which_they_are_read(
    names: tuple[str, ...], weights: list[str]
) -> None:
    found = wanted(names)
    assert [name for name in found if not name.endswith(".json")] == weights
    assert wanted(reversed(names)) == found
    assert bool(found) == bool(weights)
