"""Changes that a fake watcher tells become updates; `tests/cli/test_updates.py` has a real one."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import StoreError
from numpyclip.index import Index, watching
from numpyclip.index.scope import Scope
from numpyclip.index.update import Report
from numpyclip.index.watching import changes, updates
from tests.raw_files import dng, preview

Batch = set[str] | Exception | Callable[[], object]


class Watcher:
    """Tells changes as it was told to: sets of paths, errors, and what happens between them."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = list(batches)
        self.watched: list[tuple[str, ...]] = []

    def __call__(self, *folders: str, **_: Any) -> Iterator[set[tuple[int, str]]]:
        self.watched.append(folders)
        while self.batches:
            batch = self.batches.pop(0)
            if isinstance(batch, Exception):
                raise batch
            if isinstance(batch, set):
                yield {(3 if path in folders else 1, path) for path in batch}
            else:
                batch()
                yield set()
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _new_files_are_new_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "QUIET", 3600)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long somebody would have slept."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, naps: list[float]) -> Callable[..., list[set[str]]]:
    """List what `changes` tells of folders with a fake watcher."""

    def told(watcher: Watcher, *folders: Path, report: Callable[[str], object] = lambda _: None) -> list[set[str]]:
        monkeypatch.setattr(watching, "watcher", lambda: watcher)
        found = []
        with pytest.raises(KeyboardInterrupt):
            for paths in changes([*map(str, folders)], report):
                found.append(paths)
        return found

    return told


Told = Callable[..., list[set[str]]]


def test_at_first_everything_has_changed(told: Told, tmp_path: Path) -> None:
    assert told(Watcher(set(), {"a", "b"}, set()), tmp_path) == [{str(tmp_path)}, {"a", "b"}, set()]


def test_a_disk_that_goes_and_comes_back_is_watched_again(told: Told, tmp_path: Path) -> None:
    disk, other = tmp_path / "disk", tmp_path / "other"
    disk.mkdir()
    other.mkdir()
    watcher = Watcher(
        set(), disk.rmdir, set(), lambda: (tmp_path / "x").mkdir(), disk.mkdir, set(), lambda: None, {str(other / "a")}
    )
    found = told(watcher, disk, other)
    assert found[0] == {str(disk), str(other)}
    assert [paths for paths in found[1:] if paths] == [{str(disk)}, {str(disk)}, {str(other / "a")}]
    both, one = (str(disk), str(other)), (str(other),)
    assert watcher.watched == [both, one, both]


def test_a_folder_that_was_away_for_a_moment_is_watched_again(told: Told, tmp_path: Path) -> None:
    watcher = Watcher(set(), {str(tmp_path), "a"}, {"b"})
    assert told(watcher, tmp_path) == [{str(tmp_path)}, {"a"}, {str(tmp_path), "b"}]
    assert len(watcher.watched) == 2


def test_without_any_folder_it_waits_for_one(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, naps = tmp_path / "disk", []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            disk.mkdir()

    monkeypatch.setattr(time, "sleep", sleep)
    watcher = Watcher(set())
    assert [paths for paths in told(watcher, disk) if paths] == [{str(disk)}]
    assert (watcher.watched, len(naps)) == ([(str(disk),)], 3)


def test_too_many_changes_are_everything(told: Told, tmp_path: Path) -> None:
    many = {str(number) for number in range(5000)}
    assert told(Watcher(set(), many), tmp_path)[1] == {str(tmp_path)}


def test_everything_is_looked_at_every_hour(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def wait() -> None:
        nonlocal now
        now += 3601

    assert told(Watcher(set(), {"a"}, wait, {"b"}), tmp_path)[1:] == [{"a"}, {str(tmp_path)}, {"b"}]


@pytest.mark.parametrize("error", [OSError("OS file watch limit reached."), RuntimeError("Unable to decode path")])
def test_where_watching_fails_everything_is_looked_at_again(
    told: Told, tmp_path: Path, naps: list[float], error: Exception
) -> None:
    said: list[str] = []
    found = told(Watcher(set(), {"a"}, error, set(), {"b"}, error, error), tmp_path, report=said.append)
    everything = {str(tmp_path)}
    assert [paths for paths in found if paths] == [everything, {"a"}, everything, {"b"}, everything]
    assert naps == [2, 4, 8]
    assert said == [f"file changes are not reported ({error}); all folders are scanned instead."]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_paths_behind_a_link_are_those_of_the_folder_that_was_named(told: Told, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real, link = str(tmp_path / "real" / "a"), str(tmp_path / "link" / "a")
    assert told(Watcher(set(), {real, f"{tmp_path}/really"}), tmp_path / "link")[1] == {
        real,
        link,
        f"{tmp_path}/really",
    }


@pytest.fixture
def old(photos: Path) -> Path:
    """The pictures, which have not changed for a while."""
    for path in [photos, *photos.rglob("*")]:
        os.utime(path, (1, 1))
    return photos


def run(index: Index, folder: Path, *batches: set[Path]) -> list[Report | Exception]:
    """Update an index by such changes."""
    return list(
        updates(
            index.store,
            [str(folder)],
            [set(map(str, paths)) for paths in batches],
            lambda scope: index.update(scope=scope),
        )
    )


def test_what_has_changed_is_updated(index: Index, old: Path) -> None:
    index.update([old])
    new = old / "new.png"
    shutil.copy2(next(old.glob("*.png")), new)
    assert run(index, old, {new}, set()) == [Report(recognised=1)]
    new.unlink()
    assert run(index, old, {new}) == [Report(forgotten=1)]
    (old / "more").rename(old / "moved")
    assert run(index, old, {old / "more", old / "moved"}) == [Report(recognised=3, forgotten=3)]
    assert run(index, old, {old}) == [Report(unchanged=6)]


def test_of_a_raw_file_and_its_jpeg_one_is_indexed(index: Index, old: Path) -> None:
    pytest.importorskip("rawpy", reason="the extra numpyclip[raw] is not installed")
    for name in ("p.dng", "q.DNG"):
        (old / name).write_bytes(dng(preview()))
    for name in ("p.jpg", "r.jpg"):
        (old / name).write_bytes(preview())
    for path in old.iterdir():
        os.utime(path, (1, 1))
    index.update([old])

    def names() -> set[str]:
        return {*index.store.files(str(old))} & {"p.dng", "q.DNG", "p.jpg", "Q.jpg"}

    assert names() == {"p.jpg", "q.DNG"}
    (old / "p.jpg").unlink()
    (old / "r.jpg").rename(old / "Q.jpg")
    run(index, old, {old / "p.jpg", old / "Q.jpg"})
    assert names() == {"p.dng", "Q.jpg"}


def test_an_update_is_not_made_for_what_is_no_picture(index: Index, old: Path) -> None:
    index.update([old], ignore=["raw"])
    (old / "notes.txt").write_text("x")
    (old / ".hidden").mkdir()
    shutil.copy(next(old.glob("*.png")), old / ".hidden" / "a.png")
    (old / "raw").mkdir()
    shutil.copy(next(old.glob("*.png")), old / "raw" / "a.png")
    junk = {
        old / "notes.txt",
        old / "gone.part",
        old / ".hidden" / "a.png",
        old / "raw" / "a.png",
        old.parent / "b.png",
    }
    for path in (old / ".hidden" / "a.png", old / "raw" / "a.png", old / "notes.txt"):
        os.utime(path, (1, 1))
    assert run(index, old, junk, set()) == []


def test_a_file_that_is_being_written_waits_until_it_is_complete(index: Index, old: Path) -> None:
    index.update([old])
    whole = next(old.glob("*.png")).read_bytes()
    new, done = old / "new.png", old / "done.png"
    new.write_bytes(whole[:100])
    done.write_bytes(whole)
    os.utime(done, (1, 1))

    def batches() -> Iterator[set[str]]:
        yield {str(new), str(done)}
        yield set()
        new.write_bytes(whole)
        yield {str(new)}
        os.utime(new, (1, 1))  # seconds later
        yield set()
        yield set()

    found = list(updates(index.store, [str(old)], batches(), lambda scope: index.update(scope=scope)))
    assert found == [Report(recognised=1), Report(recognised=1)]


def test_a_file_in_a_folder_that_is_looked_at_waits_too(index: Index, old: Path) -> None:
    index.update([old])
    new = old / "more" / "new.png"
    new.write_bytes(b"half")
    os.utime(old / "more", (1, 1))

    def batches() -> Iterator[set[str]]:
        yield {str(old / "more")}
        shutil.copy2(next(old.glob("*.png")), new)
        yield set()

    found = list(updates(index.store, [str(old)], batches(), lambda scope: index.update(scope=scope)))
    assert found == [Report(unchanged=3, waiting=[str(new)]), Report(recognised=1)]


def test_a_new_folder_is_looked_at_when_all_in_it_is_told(index: Index, old: Path) -> None:
    index.update([old])
    shutil.copytree(old / "more", old / "new")
    os.utime(old / "new")
    assert run(index, old, {old / "new"}, set()) == []
    os.utime(old / "new", (1, 1))
    assert run(index, old, {old / "new"}) == [Report(recognised=3)]


def test_after_an_error_nothing_is_lost(index: Index, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, tries = time.monotonic(), []
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def update(scope: Scope) -> Report:
        tries.append(scope.only)
        if len(tries) < 3:
            raise StoreError("another process is writing to this index.")
        return Report(embedded=1)

    def batches() -> Iterator[set[str]]:
        nonlocal now
        yield {str(old)}
        yield set()  # too early
        now += 11
        yield set()
        now += 11
        yield set()

    first, second, done = updates(index.store, [str(old)], batches(), update)
    assert isinstance(first, StoreError)
    assert isinstance(second, StoreError)
    assert done == Report(embedded=1)
    assert tries == [frozenset({str(old)})] * 3


@pytest.mark.parametrize("place", ["folder"], indirect=True)  # PostgreSQL has several writers
def test_two_watchers_do_not_disturb_each_other(index: Index, old: Path, tiny: CLIP) -> None:
    index.update([old])
    with Index(index.store.place, tiny) as other, other.store.writing():
        (error,) = run(index, old, {old})
    assert "another process is writing to this index" in str(error)
    assert run(index, old, {old}) == [Report(unchanged=6)]
