"""Where files go, and that nothing is lost on the way."""

import errno
import os
from pathlib import Path

import pytest

from numpyclip.cli import filing


def test_pictures_of_a_folder_keep_their_place(tmp_path: Path) -> None:
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    folder, photos = tmp_path / "out", str(tmp_path / "photos")
    assert filing.place_in(folder, f"{photos}/sub/a.jpg", [photos]) == folder / "sub" / "a.jpg"
    assert filing.place_in(folder, f"{photos}/sub/a.jpg", [photos, f"{photos}/sub"]) == folder / "a.jpg"
    assert filing.place_in(folder, f"{photos}/sub/a.jpg", ["-"]) == folder / "a.jpg"
    assert filing.place_in(folder, "../a.jpg", ["../a.jpg"]) == folder / "a.jpg"


def test_a_name_that_is_taken_gets_a_number_and_the_same_file_none(tmp_path: Path) -> None:
    place, other = tmp_path / "a.b.jpg", tmp_path / "other"
    other.write_bytes(b"other")
    assert filing.free_name(place, str(other)) == place
    place.write_bytes(b"first")
    assert filing.free_name(place, str(other)) == tmp_path / "a.b (2).jpg"
    (tmp_path / "a.b (2).jpg").write_bytes(b"other")
    assert filing.free_name(place, str(other)) is None


def test_a_broken_link_is_a_taken_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("nowhere")
    (tmp_path / "source").write_bytes(b"x")
    assert filing.free_name(tmp_path / "a.jpg", str(tmp_path / "source")) == tmp_path / "a (2).jpg"


def test_a_copy_has_the_bytes_and_the_times(tmp_path: Path) -> None:
    source, place = tmp_path / "a", tmp_path / "deep" / "er" / "a"
    source.write_bytes(b"bytes")
    os.utime(source, (1000, 1000))
    filing.copy(str(source), place)
    assert (place.read_bytes(), place.stat().st_mtime, source.exists()) == (b"bytes", 1000, True)
    assert list(place.parent.iterdir()) == [place]  # nothing unfinished is left


def test_a_file_moves_to_another_disk_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, place = tmp_path / "a", tmp_path / "new" / "a"
    source.write_bytes(b"bytes")

    def far(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(Path, "rename", far)
    filing.move(str(source), place)
    assert (place.read_bytes(), source.exists()) == (b"bytes", False)


def test_a_move_that_fails_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, place = tmp_path / "a", tmp_path / "new" / "a"
    source.write_bytes(b"bytes")

    def far(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", far)
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        filing.move(str(source), place)
    assert source.read_bytes() == b"bytes"
    assert not place.exists()


def test_a_link_leads_to_the_file_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_bytes(b"bytes")
    filing.link("a", tmp_path / "deep" / "a")
    monkeypatch.chdir("/")
    assert (tmp_path / "deep" / "a").read_bytes() == b"bytes"


@pytest.mark.parametrize("action", ["copy", "move"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_half_a_copy_is_none(
    action: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder = tmp_path / "a", tmp_path / "new"
    source.write_bytes(b"bytes")

    def far(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    def half(_: object, part: Path) -> None:
        part.write_bytes(b"by")
        raise error

    monkeypatch.setattr(Path, "rename", far)
    monkeypatch.setattr("shutil.copyfile", half)
    with pytest.raises(type(error)):
        filing.ACTIONS[action](str(source), folder / "a")
    assert source.read_bytes() == b"bytes"
    assert not list(folder.iterdir())


@pytest.mark.parametrize("error", [PermissionError(1, "Operation not permitted"), OverflowError()])
def test_a_disk_without_such_dates_or_permissions_gets_the_bytes(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("shutil.copystat", fail)
    (tmp_path / "a").write_bytes(b"bytes")
    filing.copy(str(tmp_path / "a"), tmp_path / "new" / "a")
    assert (tmp_path / "new" / "a").read_bytes() == b"bytes"


def test_a_link_that_is_moved_leads_to_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a").write_bytes(b"bytes")
    (tmp_path / "photos" / "link").symlink_to("a")
    filing.move(str(tmp_path / "photos" / "link"), tmp_path / "new" / "deep" / "link")
    assert (tmp_path / "new" / "deep" / "link").read_bytes() == b"bytes"
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a"]
