"""Atomic writes under a temporary name, which is removed if the write fails, unless another process still writes."""

import contextlib
import errno
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from numpyclip.atomic import (
    atomic_file,
    atomic_folder,
    remove_abandoned,
    resumable_part,
    resumable_path,
    temporary_path,
)
from numpyclip.errors import InputError, NumPyCLIPError, StoreError
from numpyclip.lock import exclusive

TOKEN = "4711-0123abcd"


def left(folder: Path, target: str, content: str = "half") -> Path:
    """Leave a file as a process does that is killed."""
    (folder / f".{target}.{TOKEN}.lock").touch()
    part = folder / f".{target}.{TOKEN}.part"
    part.write_text(content)
    return part


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_does_not_take_its_name_is_removed_after_an_error_too(tmp_path: Path) -> None:
    with temporary_path(tmp_path / "file") as part:
        part.write_text("whole")
        part.replace(tmp_path / "file")
    with contextlib.suppress(KeyboardInterrupt), temporary_path(tmp_path / "file") as part:
        part.mkdir()
        (part / "inside").write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == {"file"}
    assert (tmp_path / "file").read_text() == "whole"


def test_nothing_is_left_of_a_file_whose_name_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(NumPyCLIPError, match="cannot be written"), atomic_file(tmp_path / ("a" * 300)) as stream:
        stream.write(b"new")
    assert names(tmp_path) == set()


def test_a_file_is_written_as_a_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with atomic_file(file) as stream:
        stream.write(b"old")
        assert not file.exists()
    with (
        pytest.raises(NumPyCLIPError, match=r"/file: cannot be written \(No space left"),
        atomic_file(file),
    ):
        raise OSError(28, "No space left on device")
    with contextlib.suppress(KeyboardInterrupt), atomic_file(file) as stream:
        stream.write(b"new")
        raise KeyboardInterrupt
    assert (file.read_bytes(), names(tmp_path)) == (b"old", {"file"})


def test_a_folder_takes_the_place_of_another_only_where_that_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for content, overwrite in (("one", False), ("two", True)):
        with atomic_folder(folder, overwrite) as part:
            (part / content).touch()
            assert names(folder) == {"one"} if overwrite else not folder.exists()
    with pytest.raises(NumPyCLIPError, match="cannot be written"), atomic_folder(folder) as part:
        (part / "three").touch()
    assert (names(folder), names(tmp_path)) == ({"two"}, {"folder"})


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX")
@pytest.mark.parametrize("make", ["part.write_text('half')", "part.mkdir(); (part / 'inside').write_text('half')", ""])
def test_what_a_killed_process_has_left_is_removed_by_the_next_one(tmp_path: Path, make: str) -> None:
    program = f"""
import os, pathlib, signal
from numpyclip.atomic import (
    atomic_file,
    atomic_folder,
    remove_abandoned,
    resumable_part,
    resumable_path,
    temporary_path,
)
with temporary_path(pathlib.Path({str(tmp_path / "file.npz")!r})) as part:
    {make}
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    assert len(names(tmp_path)) == 1 + bool(make)
    with temporary_path(tmp_path / "file.npz") as part:
        assert names(tmp_path) == {part.with_suffix(".lock").name}
    assert names(tmp_path) == set()


def test_what_somebody_is_at_stays(tmp_path: Path) -> None:
    part = left(tmp_path, "file")
    with exclusive(part.with_suffix(".lock")):
        with temporary_path(tmp_path / "file"):
            pass
        assert part.read_text() == "half"
    with temporary_path(tmp_path / "file") as first:
        first.write_text("half")
        with temporary_path(tmp_path / "file"):
            pass
        assert first.read_text() == "half"


def test_what_is_not_of_this_very_target_stays(tmp_path: Path) -> None:
    for name in ("file.npz", "other", "xfile", "fi*e"):
        left(tmp_path, name)
    (tmp_path / ".file.notes.lock").touch()
    (tmp_path / ".file.notes.part").write_text("of somebody")
    (tmp_path / f".file.{TOKEN}.part").write_text("without a lock: nothing tells whose it is")
    before = names(tmp_path)
    with temporary_path(tmp_path / "file"):
        pass
    assert names(tmp_path) == before
    with temporary_path(tmp_path / "fi*e"):
        pass
    assert names(tmp_path) == before - {f".fi*e.{TOKEN}.part", f".fi*e.{TOKEN}.lock"}


def test_without_locks_nothing_is_taken_for_abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = left(tmp_path, "file")

    def refuse(file: object, wait: bool) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("numpyclip.lock._take", refuse)
    with temporary_path(tmp_path / "file") as own:
        own.write_text("whole")
        own.replace(tmp_path / "file")
    assert part.read_text() == "half"
    assert (tmp_path / "file").read_text() == "whole"


def test_of_a_folder_what_was_abandoned_goes_and_what_somebody_is_at_stays(tmp_path: Path) -> None:
    left(tmp_path, "one")
    (tmp_path / "own.part").touch()
    with temporary_path(tmp_path / "two") as part:
        part.touch()
        remove_abandoned(tmp_path)
        assert names(tmp_path) == {"own.part", part.name, part.with_suffix(".lock").name}


def test_a_folder_that_is_not_there_is_left_to_whoever_writes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), temporary_path(tmp_path / "no" / "file") as part:
        part.write_text("")


def test_an_error_is_told_once_with_what_is_known_of_it(tmp_path: Path) -> None:
    with pytest.raises(NumPyCLIPError, match=r"/file: cannot be written \(odd\)\.$"), atomic_file(tmp_path / "file"):
        raise OSError("odd")
    own = StoreError("of the index")
    with pytest.raises(StoreError, match=r"^of the index$") as caught, atomic_file(tmp_path / "file"):
        raise own
    assert caught.value is own


@pytest.mark.parametrize("write", [atomic_file, atomic_folder])
def test_the_root_of_a_disk_is_no_target(write: Any) -> None:
    root = Path(Path().absolute().anchor)
    with pytest.raises(InputError, match="cannot be replaced; expected the name of"), write(root):
        pass


def test_no_folders_are_made_above_the_target(tmp_path: Path) -> None:
    with pytest.raises(NumPyCLIPError, match="cannot be written"), atomic_folder(tmp_path / "no" / "folder"):
        pass
    assert not names(tmp_path)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_new_folder_takes_its_name_at_the_end(tmp_path: Path, overwrite: bool) -> None:
    with atomic_folder(tmp_path / "folder", overwrite) as part:
        (part / "file").touch()
    assert (names(tmp_path), names(tmp_path / "folder")) == ({"folder"}, {"file"})


@pytest.mark.parametrize(("after", "kept"), [("nothing", "old"), ("new", "new")])
def test_a_folder_whose_replacement_was_killed_is_there_again(tmp_path: Path, after: str, kept: str) -> None:
    part = left(tmp_path, "folder")
    part.unlink()
    (part / "old" / "old").mkdir(parents=True)
    if after == "new":
        (tmp_path / "folder" / "new").mkdir(parents=True)
    remove_abandoned(tmp_path)
    assert (names(tmp_path), names(tmp_path / "folder")) == ({"folder"}, {kept})


def test_names_may_be_of_several_lines(tmp_path: Path) -> None:
    left(tmp_path, "a\nb")
    remove_abandoned(tmp_path)
    assert not names(tmp_path)


def test_what_was_written_stays_to_be_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "file"
    with contextlib.suppress(KeyboardInterrupt), resumable_path(target, "waiting") as part:
        assert names(tmp_path) == {"file.lock"}
        part.write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == {"file.part"}
    with resumable_path(target, "waiting") as part:
        assert part == resumable_part(target) == tmp_path / "file.part"
        assert part.read_text() == "half"
    assert not capsys.readouterr().err


def test_without_locks_each_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: object, wait: bool) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("numpyclip.lock._take", refuse)
    with resumable_path(tmp_path / "file", "waiting") as one, resumable_path(tmp_path / "file", "waiting") as other:
        assert len({one, other, resumable_part(tmp_path / "file")}) == 3
        one.write_text("half")
    assert not one.exists()


def test_the_message_is_for_whoever_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = []

    @contextlib.contextmanager
    def note(path: Path, wait: bool = True, message: str = "") -> Iterator[bool]:
        messages.append((path.name, wait, message))
        yield True

    monkeypatch.setattr("numpyclip.atomic.exclusive", note)
    with resumable_path(tmp_path / "file", "another process downloads it"):
        pass
    assert messages == [("file.lock", True, "another process downloads it")]


def test_what_failed_is_raised_where_nothing_can_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(KeyError), temporary_path(tmp_path / "target"):
        raise KeyError
