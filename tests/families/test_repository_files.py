"""Whose layout a folder has, and which files of a repository are read."""

import re
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from numpyclip import load
from numpyclip.errors import CheckpointError
from numpyclip.families.recognize import recognize
from numpyclip.families.repository_files import TOKENIZER_FILES, files_at, folders_with_models, wanted
from tests.families.test_parity import FAMILIES


def test_a_folder_with_both_config_files_is_open_clip_s(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / "open_clip-clipa", tmp_path / "model"))
    shutil.copytree(FAMILIES / "transformers-clip", folder, dirs_exist_ok=True)
    files = files_at(folder)
    assert (files.library, files.weights.name) == ("open_clip_config.json", "open_clip_model.safetensors")
    assert recognize(files).config.family == "open_clip"


def test_a_folder_without_a_config_file_may_hold_one_file_of_weights(tmp_path: Path) -> None:
    (tmp_path / "epoch_3.pt").touch()
    (tmp_path / "notes.txt").write_text("more")
    (tmp_path / "folder.pt").mkdir()
    files = files_at(tmp_path)
    assert (files.library, files.config, files.weights.name) == (None, None, "epoch_3.pt")
    (tmp_path / "epoch_4.pt").touch()
    with pytest.raises(CheckpointError, match=r"2 files of weights \('epoch_3.pt', 'epoch_4.pt'\)"):
        files_at(tmp_path)


@pytest.mark.parametrize(
    ("weights", "other"),
    [("last.ckpt", "hparams.yaml"), ("mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt")],
)
def test_a_folder_of_a_trainer_has_one_file_of_weights(tmp_path: Path, weights: str, other: str) -> None:
    for name in (weights, other):
        (tmp_path / name).touch()
    assert files_at(tmp_path).weights.name == weights


def test_a_file_of_lightning_is_read_only_where_there_is_no_other_model(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").touch()
    shutil.copytree(FAMILIES / "transformers-clip", tmp_path / "text_encoder")
    assert files_at(tmp_path).path == tmp_path / "text_encoder"


def test_an_index_without_its_shards_gives_way_to_whole_weights(tmp_path: Path) -> None:
    names = ["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "pytorch_model.bin"]
    assert wanted(names) == ["config.json", "pytorch_model.bin"]
    shutil.copytree(FAMILIES / "transformers-clip", tmp_path, dirs_exist_ok=True)
    (tmp_path / names[1]).write_text("{}")
    assert files_at(tmp_path).weights.name == "pytorch_model.bin"
    (tmp_path / "pytorch_model.bin").unlink()
    assert files_at(tmp_path).weights.name == names[1]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no weights in this folder"):
        files_at(tmp_path)


def test_the_only_model_in_a_subfolder_is_found(tmp_path: Path) -> None:
    shutil.copytree(FAMILIES / "transformers-clip", tmp_path / "0_CLIPModel")
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "2_Dense").mkdir()
    (tmp_path / "2_Dense" / "config.json").write_text('{"in_features": 768}')
    (tmp_path / "2_Dense" / "model.safetensors").touch()
    files = files_at(tmp_path)
    assert (files.path, files.weights.name) == (tmp_path / "0_CLIPModel", "pytorch_model.bin")
    shutil.copytree(FAMILIES / "open_clip-clipa", tmp_path / "other")
    with pytest.raises(CheckpointError, match=r"in 2 subfolders \('0_CLIPModel', 'other'\); expected one"):
        files_at(tmp_path)
    (tmp_path / "mine.pt").touch()
    assert files_at(tmp_path).weights.name == "mine.pt"


@pytest.mark.parametrize("described", ["{}", '{"model": "mobileclip_s0"}', '{"model_type": "clip"}'])
def test_a_config_file_without_weights_of_its_library_says_nothing(tmp_path: Path, described: str) -> None:
    (tmp_path / "config.json").write_text(described)
    shutil.copytree(FAMILIES / "transformers-clip", tmp_path / "0_CLIPModel")
    assert files_at(tmp_path).path == tmp_path / "0_CLIPModel"
    below = {f"0_CLIPModel/{file.name}" for file in (tmp_path / "0_CLIPModel").iterdir()}
    assert "0_CLIPModel/pytorch_model.bin" in wanted({"config.json", *below})
    (tmp_path / "longclip-B.pt").touch()
    files = files_at(tmp_path)
    assert (files.library, files.config, files.weights.name) == (None, None, "longclip-B.pt")
    assert "config.json is not used: transformers does not look for longclip-B.pt" in files.warnings[0]


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
        (("open_clip_config.json", "open_clip_model.safetensors.index.json"), []),
        (("open_clip_config.json", "oddly_named.safetensors"), []),
        (("config.json", "open_clip_model.safetensors"), ["open_clip_model.safetensors"]),
        (("config.json", "mobileclip_s0.pt", "README.md"), ["mobileclip_s0.pt"]),
        (("config.json", "a.pt", "b.pt"), []),
        (("config.json", "model.int8.safetensors"), ["model.int8.safetensors"]),
        (("best-of-two.pt", "old/epoch_1.pt", "model-00001-of-00001.bin"), ["best-of-two.pt"]),
        (("model.safetensors", "pytorch_model.bin"), []),
        (("epoch_31.pt", "epoch_32.pt"), []),
        (("model.safetensors", "optimizer.bin", "scheduler.bin", "random_states_0.pkl"), ["model.safetensors"]),
        (("model.safetensors.index.json", "model-00001-of-1.bin"), ["model-00001-of-1.bin"]),
        (("model.safetensors.index.json", "model-00001-of-00001.safetensors"), ["model-00001-of-00001.safetensors"]),
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


NAMES = ("open_clip_model.safetensors", "model.safetensors", "model.int8.safetensors", "odd.safetensors", "odd.pt")


@pytest.mark.parametrize("description", ["open_clip_config.json", "config.json", None])
@pytest.mark.parametrize("chosen", [each for n in range(4) for each in combinations(NAMES, n)], ids=" ".join)
def test_what_is_wanted_of_a_repository_is_what_would_be_read(
    description: str | None, chosen: tuple[str, ...], tmp_path: Path
) -> None:
    """Each file is empty, and so the error names the one that is opened."""
    for name in chosen:
        (tmp_path / name).touch()
    if description:
        source = "open_clip-clipa" if description.startswith("open") else "transformers-clip"
        shutil.copy(FAMILIES / source / description, tmp_path)
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path)
    found = [name for name in wanted([*chosen, *([description] if description else [])]) if name != description]
    opened = re.fullmatch(r".*/([\w.]+): the file is empty\. .*", str(caught.value))
    assert found == ([opened[1]] if opened else [])


def test_weights_of_a_tag_are_those_that_openclip_reads() -> None:
    there = ("config.json", "model.safetensors", "open_clip_pytorch_model.bin", "tokenizer.model", "vocab.txt")
    assert wanted(there, has_table=True) == ["config.json", "vocab.txt", "open_clip_pytorch_model.bin"]
    assert wanted(("config.json", "odd.pt"), has_table=True) == ["config.json", "odd.pt"]
    assert wanted(("one.pt", "two.pt"), has_table=True) == []


def test_files_of_a_tokenizer_that_are_not_read_are_not_fetched_but_kept_where_a_model_is_saved() -> None:
    there = ("config.json", "model.safetensors", *TOKENIZER_FILES)
    unread = set(there) - set(wanted(there))
    assert unread == {"tokenizer.model"}


def test_each_of_many_names_is_looked_at_a_few_times() -> None:
    class Counted(str):
        looked_at = 0

        def partition(self, *args: str) -> tuple[str, str, str]:
            Counted.looked_at += 1
            return super().partition(*args)

        def startswith(self, *args: Any) -> bool:
            Counted.looked_at += 1
            return super().startswith(*args)

    names = [Counted(f"{number}/model.safetensors") for number in range(1000)]
    assert folders_with_models(names) == []
    assert Counted.looked_at <= 3 * len(names)


@pytest.mark.parametrize("other", ["unet", "2_Dense", "other"])
def test_a_subfolder_has_a_model_on_the_disk_as_on_the_hub(tmp_path: Path, other: str) -> None:
    shutil.copytree(FAMILIES / "transformers-clip", tmp_path / "0_CLIPModel")
    (tmp_path / other).mkdir()
    (tmp_path / other / "config.json").write_text("{}")
    (tmp_path / other / ("unet.bin" if other == "unet" else "model.safetensors")).touch()
    names = [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()]
    if other == "other":
        assert folders_with_models(names) == ["0_CLIPModel", "other"]
        with pytest.raises(CheckpointError, match=r"in 2 subfolders \('0_CLIPModel', 'other'\)"):
            files_at(tmp_path)
    else:
        assert folders_with_models(names) == ["0_CLIPModel"]
        assert files_at(tmp_path).path == tmp_path / "0_CLIPModel"
