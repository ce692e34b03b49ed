"""Whose layout a folder has, and which files of a repository are read."""

import shutil
from pathlib import Path

import pytest

from numpyclip.families.layouts import read_described, wanted
from tests.families.test_parity import FAMILIES


@pytest.mark.parametrize("name", ["transformers-clip", "open_clip-clipa"])
def test_a_folder_is_of_the_library_whose_description_it_has(name: str) -> None:
    found = read_described(FAMILIES / name)
    assert found is not None
    assert found.config.family == name.partition("-")[0]


def test_a_folder_with_both_descriptions_is_open_clip_s(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / "open_clip-clipa", tmp_path / "model"))
    shutil.copytree(FAMILIES / "transformers-clip", folder, dirs_exist_ok=True)
    found = read_described(folder)
    assert found is not None
    assert (found.config.family, found.checkpoint.path.name) == ("open_clip", "open_clip_model.safetensors")


def test_a_folder_without_a_description_is_nobody_s(tmp_path: Path) -> None:
    shutil.copy(FAMILIES / "open_clip-clipa" / "open_clip_model.safetensors", tmp_path)
    assert read_described(tmp_path) is None


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
