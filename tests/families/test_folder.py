"""The one file of weights in a folder without a description."""

import shutil
from pathlib import Path

import pytest

from numpyclip.errors import CheckpointError
from numpyclip.families.folder import only_file
from tests.weights.forged import GOLDEN


def test_a_folder_without_a_description_may_hold_one_file(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "vit-state-dict.pt", tmp_path / "epoch_3.pt")
    (tmp_path / "notes.txt").write_text("more")
    assert only_file(tmp_path).name == "epoch_3.pt"
    shutil.copy(GOLDEN / "vit-state-dict.pt", tmp_path / "epoch_4.pt")
    with pytest.raises(CheckpointError, match=r"2 files of weights \('epoch_3.pt', 'epoch_4.pt'\)"):
        only_file(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none"):
        only_file(tmp_path)
