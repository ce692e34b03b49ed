"""Updates of a part of the folders, and for a limited time: they never remove more than a whole one would."""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from numpyclip.index import Index
from numpyclip.index.scope import Scope
from numpyclip.index.update import FoundFile, Report


def only(*paths: Path, quiet: float = 0.0) -> Scope:
    return Scope(frozenset(map(str, paths)), quiet)


@pytest.fixture
def others(photos: Path) -> Path:
    """A second folder, with two pictures."""
    folder = photos.with_name("others")
    folder.mkdir()
    for path in sorted(photos.glob("*.png"))[:2]:
        shutil.copy(path, folder / f"other {path.name}")
    return folder


def test_only_what_is_named_is_looked_at(index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.update([photos])
    here, *_, gone = sorted(photos.glob("*.png"))
    new, unnamed = photos / "new.png", photos / "more" / "unnamed.png"
    shutil.copy(here, new)
    shutil.copy(here, unnamed)
    gone.unlink()
    listed: list[str] = []
    scandir = os.scandir

    def counted(path: str) -> Iterator[os.DirEntry[str]]:
        listed.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    assert index.update(scope=only(new)) == Report(recognised=1)
    assert listed == [str(photos)]
    assert index.update(scope=only(gone, here)) == Report(forgotten=1, unchanged=1)
    assert index.update(scope=only(photos / "more")) == Report(recognised=1, unchanged=3)
    assert index.update() == Report(unchanged=7)


def test_a_new_folder_and_one_that_is_gone(index: Index, photos: Path) -> None:
    index.update([photos])
    shutil.copytree(photos / "more", photos / "deep" / "er")
    assert index.update(scope=only(photos / "deep")) == Report(recognised=3)
    (photos / "deep").rename(photos / "moved")
    assert index.update(scope=only(photos / "deep", photos / "moved")) == Report(recognised=3, forgotten=3)
    shutil.rmtree(photos / "moved" / "er")
    assert index.update(scope=only(photos / "moved" / "er")) == Report(forgotten=3)
    assert index.update() == Report(unchanged=6)


def test_other_folders_are_left_alone(index: Index, photos: Path, others: Path) -> None:
    index.update([photos, others])
    away = others.rename(others.with_name("away"))
    assert index.update(scope=only(photos)) == Report(unchanged=6)  # without a word about the others
    report = index.update(scope=only(others / "a.png"))
    assert "is not there; its images stay" in report.problems[0]
    away.rename(others)
    assert index.update() == Report(unchanged=8)
    assert index.update(scope=only(photos.parent / "elsewhere")) == Report()


def test_what_is_ignored_or_behind_a_link_is_not_reached(index: Index, photos: Path, others: Path) -> None:
    index.update([photos], ignore=["raw"])
    for name in ("raw", ".hidden"):
        shutil.copytree(others, photos / name)
        assert index.update(scope=only(photos / name, *(photos / name).iterdir())) == Report()
    if os.name != "nt":
        (photos / "link").symlink_to(others)
        assert index.update(scope=only(*(photos / "link").iterdir())) == Report()
    assert index.store.counts().files == 6


def test_an_empty_folder_keeps_its_pictures_as_in_a_whole_update(index: Index, photos: Path, others: Path) -> None:
    index.update([photos, others])
    files = list(photos.rglob("*.png"))
    more = [path for path in files if path.parent != photos]
    for path in more:
        path.unlink()
    assert index.update(scope=only(*more)) == Report(forgotten=3)  # others are there, in the same folder
    for path in files:
        path.unlink(missing_ok=True)
    report = index.update(scope=only(*files))
    assert "holds no images now, and 3 of it are in the index" in report.problems[0]
    assert index.store.counts().files == 5


def test_a_folder_that_is_indexed_in_another_one_is_kept(index: Index, photos: Path) -> None:
    (photos / "more").rename(photos / "raw")
    index.update([photos], ignore=["raw"])
    index.update([photos / "raw"])
    new = photos / "raw" / "new.png"
    shutil.copy(next(photos.glob("*.png")), new)
    assert index.update(scope=only(new)) == Report(recognised=1)
    new.unlink()
    assert index.update(scope=only(photos / "raw")) == Report(forgotten=1, unchanged=3)
    assert index.store.counts().files == 6


def test_files_that_are_being_written_wait(index: Index, photos: Path) -> None:
    index.update([photos])
    new, whole = photos / "new.png", next(photos.glob("*.png")).read_bytes()
    new.write_bytes(whole[:100])
    assert index.update(scope=only(new, quiet=60)) == Report(waiting=[str(new)])
    assert index.update(scope=only(photos, quiet=0.0)).unreadable == 1  # without waiting, half of it is read
    new.write_bytes(whole)
    os.utime(new, (1, 1))
    assert index.update(scope=only(new, quiet=60)) == Report(recognised=1)


def test_a_file_that_is_gone_before_it_is_read_is_no_problem(index: Index, photos: Path) -> None:
    index.update([photos])
    new = photos / "new.png"
    shutil.copy(next(photos.glob("*.png")), new)
    os.utime(new, (1, 1))

    def remove(files: list[FoundFile]) -> list[FoundFile]:
        new.unlink()
        return files

    told: list[str] = []
    report = index.update(scope=only(new, quiet=60), progress=remove, report=told.append)
    assert (report, told) == (Report(waiting=[str(new)]), [])
    assert index.update() == Report(unchanged=6)


@pytest.mark.parametrize("most", [0, 2, 4, 6])
def test_an_update_that_runs_out_of_time_goes_on_next_time(index: Index, photos: Path, most: int) -> None:
    index.update([photos])
    (photos / "even" / "more").mkdir(parents=True)
    (first, second, third), more = sorted(photos.glob("*.png")), sorted((photos / "more").glob("*.png"))
    shutil.copy(first, photos / "new.png")
    shutil.copy(first, photos / "more" / "new.png")
    shutil.copy(second, photos / "even" / "more" / "new.png")
    third.unlink()
    more[0].unlink()
    asked = itertools.count()
    report = index.update(batch_size=1, scope=Scope(is_over=lambda: next(asked) >= most))
    left = len(report.waiting)
    assert bool(report.unvisited) == (most < 5)  # the root itself is asked about twice
    assert report.recognised + report.embedded + left <= 3
    assert report.forgotten <= 2
    after = index.update()
    assert (after.recognised + report.recognised, after.forgotten + report.forgotten) == (3, 2)
    assert index.update() == Report(unchanged=7)


def test_a_walk_without_time_removes_nothing(index: Index, photos: Path, others: Path) -> None:
    index.update([photos, others])
    for path in photos.glob("*.png"):
        path.unlink()
    report = index.update(scope=Scope(is_over=lambda: True))
    assert (report.forgotten, report.unvisited, report.problems) == (0, 2, [])
    assert index.store.counts().files == 8
