"""`index --watch`, `search --update` and the updates of `serve`, with real files, processes and signals."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import numpyclip
from numpyclip.cli import updates
from numpyclip.cli.commands import parse
from numpyclip.cli.updates import background_updates
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import StoreError
from numpyclip.index import Index
from numpyclip.index.scope import Scope
from numpyclip.index.update import Report
from tests.cli.conftest import Run
from tests.videos.made_videos import GREEN, RED, scenes, write_video


@contextmanager
def watching(*words: object) -> Iterator["subprocess.Popen[str]"]:
    """Start `numpyclip index --watch`."""
    command = [sys.executable, "-m", "numpyclip", "index", "--watch", "-m", "tiny", *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: "subprocess.Popen[str]") -> str:
    """Wait for the next message."""
    assert process.stderr is not None
    return process.stderr.readline().removeprefix("numpyclip: ").rstrip("\n")


def put(source: Path, place: Path) -> None:
    """Put a file, complete at once and old, in a folder that is watched."""
    aside = source.parent.parent / "aside"
    shutil.copy(source, aside)
    os.utime(aside, (1, 1))
    aside.rename(place)


@pytest.fixture
def two(album: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of good pictures."""
    (album / "broken.jpg").unlink()
    (tmp_path / "other").mkdir()
    shutil.copy(album / "bird.png", tmp_path / "other" / "again.png")
    for path in tmp_path.rglob("*"):
        os.utime(path, (1, 1))
    return album, tmp_path / "other"


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches no other process")
def test_a_watched_folder_is_updated(two: tuple[Path, Path], tmp_path: Path, tiny: CLIP) -> None:
    pytest.importorskip("watchfiles", reason="the extra watch")
    album, other = two
    store = tmp_path / "index"
    with watching(album, other, "--store", store) as process:
        assert line(process) == "3 embedded, 1 moved or copied"
        assert "left out" in line(process)
        assert line(process) == "watching 2 folders (Ctrl-C stops it)"
        put(album / "house.PNG", other / "new.png")
        assert line(process) == "1 moved or copied"
        (album / "sub").rename(album / "moved")  # a folder that is watched under its new name
        assert line(process) == "1 moved or copied, 1 removed"
        put(album / "house.PNG", album / "moved" / "deep.png")
        assert line(process) == "1 moved or copied"
        (other / "new.png").unlink()
        assert line(process) == "1 removed"
        other.rename(tmp_path / "away")
        assert "is not there; its images stay" in line(process)
        (tmp_path / "away").rename(other)
        put(album / "house.PNG", other / "last.png")
        assert line(process) == "1 moved or copied"
        process.send_signal(signal.SIGINT)
        assert line(process) == "stopped; what was done is kept."
        assert (line(process), process.wait()) == ("", 0)
    with Index(store, tiny) as index:
        assert index.store.counts().files == 6


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM is Windows' own there")
def test_sigterm_ends_it_as_ctrl_c_does(two: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("watchfiles", reason="the extra watch")
    with watching(two[1], "--store", tmp_path / "index", "--json") as process:
        assert line(process) == "watching 1 folder (Ctrl-C stops it)"
        process.send_signal(signal.SIGTERM)
        assert (line(process), process.wait()) == ("stopped; what was done is kept.", 0)


def test_what_keeps_a_folder_from_being_watched(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    result = run("index", "--watch", tmp_path, "--store", tmp_path / "index", "-m", "tiny")
    assert (result.status, 'pip install "numpyclip[watch]"' in result.err) == (2, True)
    assert not (tmp_path / "index").exists()
    monkeypatch.delitem(sys.modules, "watchfiles")
    pytest.importorskip("watchfiles", reason="the extra watch")
    result = run("index", "--watch", tmp_path / "none", "--store", tmp_path / "index", "-m", "tiny")
    assert (result.status, "is no folder" in result.err) == (2, True)
    Index(tmp_path / "index", numpyclip.load("tiny")[0], create=True).close()
    result = run("index", "--watch", "--store", tmp_path / "index", "-m", "tiny")
    assert (result.status, "knows no folders yet" in result.err) == (2, True)


def test_errors_are_told_once_and_watching_goes_on(
    run: Run, two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: Iterator[Report | Exception] = iter(
        [StoreError("the disk is full."), StoreError("the disk is full."), Report(embedded=1), Report()]
    )

    def fake(*_: object) -> Iterator[Report | Exception]:
        yield from reports
        raise KeyboardInterrupt

    monkeypatch.setattr("numpyclip.index.watching.updates", fake)
    monkeypatch.setattr("numpyclip.index.watching.watcher", lambda: None)
    before = signal.getsignal(signal.SIGTERM)
    result = run("index", "--watch", two[0], "--store", tmp_path / "index", "-m", "tiny")
    assert result.status == 0
    assert result.err.splitlines() == [
        "numpyclip: not updated: the disk is full. It is tried again.",
        "numpyclip: 1 embedded",
        "numpyclip: watching 1 folder (Ctrl-C stops it)",
        "numpyclip: stopped; what was done is kept.",
    ]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_search_updates_first_if_it_is_asked_to(run: Run, two: tuple[Path, Path], tmp_path: Path) -> None:
    album, other = two
    words = ["--store", tmp_path / "index", "-m", "tiny"]
    run("index", other, *words)
    shutil.copy(album / "house.PNG", other)
    assert "house" not in run("search", "a house", "--all", *words).out
    result = run("search", "a house", "--update", *words)
    assert ("house" in result.out, result.err) == (True, "numpyclip: 1 embedded\n")
    assert run("search", "a house", "--update", *words).err == ""


def test_a_search_goes_on_when_its_update_has_no_time_left(
    run: Run, two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album, other = two
    words = ["--store", tmp_path / "index", "-m", "tiny"]
    run("index", other, album, *words)
    for number in range(3):
        shutil.copy(album / "house.PNG", album / f"{number}.png")
    (album / "sub" / "deep").mkdir()
    seconds = itertools.count(0, 0.5)
    monkeypatch.setattr(updates, "time", Namespace(monotonic=lambda: next(seconds)))
    result = run("search", "a house", "--update", *words)
    assert (result.status, "house" in result.out) == (0, True)
    assert result.err == "numpyclip: nothing new; 3 files and 1 folder left to `numpyclip index`.\n"


def test_a_search_goes_on_when_it_cannot_update(run: Run, two: tuple[Path, Path], tmp_path: Path, tiny: CLIP) -> None:
    words = ["--store", tmp_path / "index", "-m", "tiny"]
    run("index", two[1], *words)
    with Index(tmp_path / "index", tiny) as index, index.adding():
        result = run("search", "a bird", "--update", *words)
    assert (result.status, "bird" in result.out or "again" in result.out) == (0, True)
    assert "not updated: " in result.err
    assert "another process is writing to this index" in result.err


Every = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def every(tmp_path: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch) -> Every:
    """Update an index in the background; files are complete at once."""
    monkeypatch.setattr("numpyclip.index.watching.QUIET", 0)
    place = str(tmp_path / "index")

    def every(seconds: float = 3600.0, *options: str) -> AbstractContextManager[None]:
        return background_updates(parse(["serve", *options]), place, tiny, seconds)

    return every


class Messages(list[str]):
    """What is said, which a test can wait for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._said = threading.Condition()
        monkeypatch.setattr(updates, "say", self.append)

    def append(self, message: object, _: object = "info") -> None:
        with self._said:
            super().append(str(message))
            self._said.notify_all()

    def wait(self, n: int) -> None:
        with self._said:
            assert self._said.wait_for(lambda: len(self) >= n, 60)


def test_a_server_updates_in_the_background(
    every: Every, two: tuple[Path, Path], tmp_path: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    album, other = two
    messages = Messages(monkeypatch)
    with Index(tmp_path / "index", tiny, create=True) as reader:
        reader.update([other])
        with every(0.01):
            for number in range(1, 3):
                (album / ("bird.png", "house.PNG")[number - 1]).rename(other / f"{number}.png")
                messages.wait(number)
        assert [message.partition(": ")[2] for message in messages] == ["1 moved or copied", "1 embedded"]
        assert len(reader.search("a house", 10)) == 2
    assert not [thread for thread in threading.enumerate() if thread.name == "numpyclip-updates"]


def test_a_server_updates_as_index_would(
    every: Every, two: tuple[Path, Path], tmp_path: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
    _, folder = two
    messages, given = Messages(monkeypatch), dict[str, object]()
    once = Index.update

    def update(self: Index, **options: Any) -> Report:
        given.update(options)
        return once(self, **options)

    with Index(tmp_path / "index", tiny, create=True) as index:
        index.update([folder], views="tiles")
        monkeypatch.setattr(Index, "update", update)
        Image.new("RGB", (128, 64), "red").save(folder / "wide.png")
        write_video(folder / "clip.mp4", scenes((2, RED), (2, GREEN)))
        with every(3600.0, "--develop-raw", "--full-decode", "--strict-files", "--max-pixels", "1M"):
            messages.wait(1)
        assert [message.partition(": ")[2] for message in messages] == ["2 embedded"]
        parts = {Path(str(match.path)).name: set[str]() for match in index.store.everything("pictures")}
        for match in index.store.everything("pictures"):
            parts[Path(str(match.path)).name].add(match.part)
    assert parts["wide.png"] == {"", "left", "right"}
    assert len(parts["clip.mp4"]) > 1
    expected = {"develop_raw": True, "draft": False, "strict_files": True, "max_pixels": 1_000_000}
    assert {name: given[name] for name in expected} == expected


def test_no_index_or_another_writer_is_no_error(
    every: Every, two: tuple[Path, Path], tmp_path: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, tries = Messages(monkeypatch), []
    once = updates._update_unless_in_use
    tried = threading.Semaphore(0)

    def counted(*words: Any) -> Report | None:
        try:
            return once(*words)
        finally:
            tries.append(1)
            tried.release()

    monkeypatch.setattr(updates, "_update_unless_in_use", counted)
    with every():
        assert tried.acquire(timeout=60)
    with Index(tmp_path / "index", tiny, create=True) as index:
        index.update([two[1]])
        with index.adding(), every():
            assert tried.acquire(timeout=60)
    assert (messages, len(tries)) == ([], 2)


def test_an_error_in_the_background_is_told_once(
    every: Every, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: CLIP
) -> None:
    messages, tried = Messages(monkeypatch), threading.Semaphore(0)

    def fail(*_: object) -> None:
        tried.release()
        raise StoreError("the disk is full.")

    monkeypatch.setattr("numpyclip.index.open_store.open_store", fail)
    with every(0.001):
        for _ in range(3):
            assert tried.acquire(timeout=60)
    assert messages == ["not updated: the disk is full."]


def test_updates_can_be_turned_off(every: Every, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "_update_unless_in_use", None)
    with every(0):
        assert not [thread for thread in threading.enumerate() if thread.name == "numpyclip-updates"]


def test_a_server_that_stops_does_not_wait_for_all_pictures(
    every: Every, two: tuple[Path, Path], tmp_path: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, asked = threading.Event(), []

    def update(self: Index, *, scope: Scope, **_: object) -> Report:
        begun.set()
        while not scope.is_over():
            asked.append(1)
        return Report()

    with Index(tmp_path / "index", tiny, create=True) as index:
        index.update([two[1]])
    monkeypatch.setattr(Index, "update", update)
    with every():
        assert begun.wait(60)
    assert not [thread for thread in threading.enumerate() if thread.name == "numpyclip-updates"]
