import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from numpyclip.weights import prepared
from numpyclip.weights.prepared import open_prepared, prepared_files, prepared_folder, save_prepared

ARRAYS: dict[str, NDArray[Any]] = {
    "a 0": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a 1": np.ones(3, np.float16),
    "b 0": np.full(1, 7, np.float32),
}


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights")
    return file


def test_what_was_saved_is_mapped_again(checkpoint: Path) -> None:
    assert open_prepared(checkpoint, "visual") is None
    save_prepared(checkpoint, "visual", ARRAYS)
    found = open_prepared(checkpoint, "visual")
    assert found is not None
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert not found[name].flags.writeable
        assert not found[name].flags.owndata
    assert found["a 0"].ctypes.data % 64 == 0
    assert open_prepared(checkpoint, "text") is None


@pytest.mark.parametrize("change", ["content", "time", "replaced"])
def test_a_checkpoint_that_was_changed_is_another(checkpoint: Path, tmp_path: Path, change: str) -> None:
    save_prepared(checkpoint, "visual", ARRAYS)
    if change == "content":
        checkpoint.write_bytes(b"weights of another size")
    elif change == "time":
        os.utime(checkpoint, (1, 1))
    else:
        (tmp_path / "other").write_bytes(b"WEIGHTS")
        (tmp_path / "other").replace(checkpoint)
    assert open_prepared(checkpoint, "visual") is None


def test_another_version_of_the_preparation_is_another_file(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_prepared(checkpoint, "visual", ARRAYS)
    monkeypatch.setattr(prepared, "VERSION", prepared.VERSION + 1)
    assert open_prepared(checkpoint, "visual") is None


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_file_that_was_cut_short_is_removed_and_made_again(checkpoint: Path, length: int) -> None:
    save_prepared(checkpoint, "visual", ARRAYS)
    [file] = prepared_files()
    file.write_bytes(file.read_bytes()[:length])
    assert open_prepared(checkpoint, "visual") is None
    assert prepared_files() == []


def test_small_weights_are_not_worth_a_file(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights")
    save_prepared(file, "visual", ARRAYS)
    assert prepared_files() == []


def test_the_longest_unused_go_first_when_there_is_too_much(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tower in ("one", "two"):
        save_prepared(checkpoint, tower, ARRAYS)
    for file in prepared_files():
        os.utime(file, (1, 2 if "-two-" in file.name else 3))
    assert open_prepared(checkpoint, "two") is not None  # now "one" is the longest unused
    size = prepared_files()[0].stat().st_size
    monkeypatch.setattr(prepared, "_MOST_BYTES", 2 * size + 1)
    save_prepared(checkpoint, "three", ARRAYS)
    assert sorted(file.name.split("-")[1] for file in prepared_files()) == ["three", "two"]


def test_what_would_fill_half_the_room_is_not_kept(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_MOST_BYTES", 60)
    save_prepared(checkpoint, "visual", ARRAYS)
    assert prepared_files() == []


def test_zero_keeps_nothing(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMPYCLIP_CACHE", "0")
    save_prepared(checkpoint, "visual", ARRAYS)
    assert prepared_folder() is None
    assert open_prepared(checkpoint, "visual") is None
    assert prepared_files() == []


def test_a_place_that_cannot_be_written_is_no_error(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NUMPYCLIP_CACHE", str(tmp_path / "file"))
    save_prepared(checkpoint, "visual", ARRAYS)
    assert open_prepared(checkpoint, "visual") is None


def test_a_full_disk_leaves_nothing_behind(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    save_prepared(checkpoint, "visual", ARRAYS)
    folder = prepared_folder()
    assert folder is not None
    assert list(folder.iterdir()) == []


def test_without_a_setting_they_lie_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NUMPYCLIP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert prepared_folder() == tmp_path / "numpyclip" / "prepared"
