import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from numpyclip.runtime import prepared
from numpyclip.runtime.prepared import (
    is_prepared,
    open_prepared,
    prepared_files,
    prepared_folder,
    remove_prepared,
    save_prepared,
)
from numpyclip.weights.safetensors import unwritten, write_safetensors

ARRAYS: dict[str, NDArray[Any]] = {
    "a 0": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a 1": np.ones(3, np.float16),
    "b 0": np.full(1, 7, np.float32),
}


IDENTITY = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def _even_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)


def test_what_was_saved_is_mapped_again() -> None:
    assert open_prepared(IDENTITY, "visual") is None
    assert not is_prepared(IDENTITY, "visual")
    save_prepared(IDENTITY, "visual", ARRAYS)
    assert is_prepared(IDENTITY, "visual")
    found = open_prepared(IDENTITY, "visual")
    assert found is not None
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert not found[name].flags.writeable
        assert not found[name].flags.owndata
        assert found[name].flags.aligned
    assert found["a 0"].ctypes.data % 64 == 0
    assert open_prepared(IDENTITY, "text") is None
    assert open_prepared(IDENTITY[::-1], "visual") is None


def test_what_has_no_identity_is_not_kept() -> None:
    save_prepared(None, "visual", ARRAYS)
    assert prepared_files() == []
    assert open_prepared(None, "visual") is None
    assert not is_prepared(None, "visual")


def test_another_version_of_the_preparation_is_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    save_prepared(IDENTITY, "visual", ARRAYS)
    monkeypatch.setattr(prepared, "VERSION", prepared.VERSION + 1)
    assert open_prepared(IDENTITY, "visual") is None


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_file_that_was_cut_short_is_removed_and_made_again(length: int) -> None:
    save_prepared(IDENTITY, "visual", ARRAYS)
    [file] = prepared_files()
    file.write_bytes(file.read_bytes()[:length])
    assert open_prepared(IDENTITY, "visual") is None
    assert prepared_files() == []


def _with_data(change: Callable[[bytearray], None]) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        content = bytearray(file.read_bytes())
        change(content)
        file.write_bytes(content)

    return spoil


def _zeros(content: bytearray) -> None:
    content[-30:] = bytes(30)


def _flip(content: bytearray) -> None:
    content[-1] ^= 1


def _other_dtype(content: bytearray) -> None:
    content[:] = content.replace(b'"F32"', b'"I32"', 1)


def _other_name(content: bytearray) -> None:
    content[:] = content.replace(b'"a 0"', b'"c 0"', 1)


def _other_shape(content: bytearray) -> None:
    content[:] = content.replace(b"[2,3]", b"[3,2]", 1)


def _without_checksum(file: Path) -> None:
    write_safetensors(file, [tensor for name, array in ARRAYS.items() for tensor in unwritten(name, array)])


def _of_another_tower(file: Path) -> None:
    save_prepared(IDENTITY, "text", ARRAYS)
    file.with_name(file.name.replace("visual", "text")).replace(file)


def _of_another_model(file: Path) -> None:
    save_prepared(IDENTITY[::-1], "visual", ARRAYS)
    file.with_name(file.name.replace(IDENTITY, IDENTITY[::-1])).replace(file)


@pytest.mark.parametrize(
    "spoil",
    [
        *map(_with_data, (_zeros, _flip, _other_dtype, _other_name, _other_shape)),
        *(_without_checksum, _of_another_tower, _of_another_model),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_removed_and_made_again(spoil: Callable[[Path], None]) -> None:
    arrays = {**ARRAYS, "a 1": np.arange(3, dtype=np.float16)}
    save_prepared(IDENTITY, "visual", arrays)
    [file] = prepared_files()
    spoil(file)
    assert open_prepared(IDENTITY, "visual") is None
    assert prepared_files() == []


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no such owners")
def test_a_file_of_another_user_is_left_alone_and_one_of_root_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    save_prepared(IDENTITY, "visual", ARRAYS)
    owner = prepared_files()[0].stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert (open_prepared(IDENTITY, "visual") is not None) == (owner == 0)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(prepared, "_ROOT", 4712)
    assert open_prepared(IDENTITY, "visual") is None
    before = prepared_files()[0].stat()
    save_prepared(IDENTITY, "visual", ARRAYS)
    assert prepared_files()[0].stat() == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_in_its_place_is_not_waited_for() -> None:
    save_prepared(IDENTITY, "visual", ARRAYS)
    [file] = prepared_files()
    file.unlink()
    os.mkfifo(file)
    assert open_prepared(IDENTITY, "visual") is None
    save_prepared(IDENTITY, "visual", ARRAYS)
    assert open_prepared(IDENTITY, "visual") is not None


def test_a_file_that_cannot_be_read_now_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise OSError(24, "Too many open files")

    save_prepared(IDENTITY, "visual", ARRAYS)
    monkeypatch.setattr(prepared, "open_regular", refuse)
    assert open_prepared(IDENTITY, "visual") is None
    assert len(prepared_files()) == 1


def test_a_folder_that_is_only_read_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    save_prepared(IDENTITY, "visual", ARRAYS)
    monkeypatch.setattr(os, "utime", refuse)
    assert open_prepared(IDENTITY, "visual") is not None


def test_files_of_other_people_are_never_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    save_prepared(IDENTITY, "visual", ARRAYS)
    folder = prepared_folder()
    assert folder is not None
    (folder / "my-finetune.safetensors").write_bytes(bytes(10))
    assert len(prepared_files()) == 1
    monkeypatch.setattr(prepared, "CACHE_BYTES", 100)
    save_prepared(IDENTITY[::-1], "visual", ARRAYS)
    assert (folder / "my-finetune.safetensors").exists()


def test_what_a_writer_that_was_killed_left_of_another_model_is_removed() -> None:
    save_prepared(IDENTITY, "visual", ARRAYS)
    folder = prepared_folder()
    assert folder is not None
    for suffix in ("lock", "part"):
        (folder / f".{IDENTITY[::-1]}-visual-v1.safetensors.4711-0123abcd.{suffix}").touch()
    save_prepared(IDENTITY, "text", ARRAYS)
    assert set(folder.iterdir()) == set(prepared_files())


def test_small_weights_are_not_worth_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 100)
    save_prepared(IDENTITY, "visual", ARRAYS)
    assert prepared_files() == []


def test_the_longest_unused_go_first_when_there_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    identities = {letter: letter * 32 for letter in "abc"}
    for letter in "ab":
        save_prepared(identities[letter], "visual", ARRAYS)
    for file in prepared_files():
        os.utime(file, (1, 2 if file.name.startswith("b") else 3))
    assert open_prepared(identities["b"], "visual") is not None  # now "a" is the longest unused
    size = prepared_files()[0].stat().st_size
    monkeypatch.setattr(prepared, "CACHE_BYTES", 2 * size + 1)
    save_prepared(identities["c"], "visual", ARRAYS)
    assert sorted(file.name[0] for file in prepared_files()) == ["b", "c"]


def test_of_files_that_cannot_be_removed_the_next_go(monkeypatch: pytest.MonkeyPatch) -> None:
    for letter in "ab":
        save_prepared(letter * 32, "visual", ARRAYS)
    first, second = prepared_files()
    unlink = Path.unlink

    def removing(self: Path, missing_ok: bool = False) -> None:
        if self == first:
            raise PermissionError(13, "in use")
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", removing)
    assert not remove_prepared(first)
    monkeypatch.setattr(prepared, "CACHE_BYTES", 2 * first.stat().st_size + 1)
    save_prepared("c" * 32, "visual", ARRAYS)
    assert sorted(file.name[0] for file in prepared_files()) == sorted({"a", "b", "c"} - {second.name[0]})
    assert remove_prepared(prepared_files()[1])


def test_what_would_fill_half_the_room_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "CACHE_BYTES", 60)
    save_prepared(IDENTITY, "visual", ARRAYS)
    assert prepared_files() == []


def test_zero_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMPYCLIP_CACHE", "0")
    save_prepared(IDENTITY, "visual", ARRAYS)
    assert prepared_folder() is None
    assert open_prepared(IDENTITY, "visual") is None
    assert prepared_files() == []


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NUMPYCLIP_CACHE", str(tmp_path / "file"))
    save_prepared(IDENTITY, "visual", ARRAYS)
    assert open_prepared(IDENTITY, "visual") is None
    assert prepared_files() == []


def test_a_full_disk_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    save_prepared(IDENTITY, "visual", ARRAYS)
    folder = prepared_folder()
    assert folder is not None
    assert list(folder.iterdir()) == []


def test_without_a_setting_they_lie_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NUMPYCLIP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert prepared_folder() == tmp_path / "numpyclip" / "prepared"
