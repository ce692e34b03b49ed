"""Updates of an index: once, whenever files change, every so often in the background, and for two seconds."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from numpyclip.cli.inputs import Reporter, exit_status, progress, say_left_out
from numpyclip.cli.options import file_options
from numpyclip.cli.outputs import counted, print_json, say
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.extras import install_command
from numpyclip.interrupts import terminations_as_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpyclip.dual_encoder.embedding_model import EmbeddingModel
    from numpyclip.index import Index
    from numpyclip.index.scope import Scope
    from numpyclip.index.update import FoundFile, Report

MOST_SECONDS = 2.0  # of an update before a search
_WORDS = {"recognised": "moved or copied", "forgotten": "removed"}  # for counts of `Report`, on stderr
_LAST_SECONDS = 10.0  # that a background update has to stop


def update(arguments: argparse.Namespace, index: Index) -> int:
    """Update the index; return the exit status."""
    try:
        report = index.update(
            arguments.items,
            ignore=arguments.ignore,
            **_recorded(arguments),
            **_options(arguments),
            progress=_bar,
            report=Reporter(),
        )
    except KeyboardInterrupt:
        say("what was done is kept; the same command continues.")
        raise
    _say_all(arguments, report)
    done = report.unchanged + report.embedded + report.completed + report.recognised + report.forgotten
    return exit_status(report.unreadable + len(report.problems), done)


def watch(arguments: argparse.Namespace, index: Index) -> int:
    """Update the index whenever files change, until Ctrl-C or SIGTERM."""
    from numpyclip.index.watching import changes, updates
    from numpyclip.index.where import existing_folder

    new = [existing_folder(folder) for folder in arguments.items]
    folders = list(new or index.store.folders())
    if not folders:
        raise InputError(f"{index.store.place}: knows no folders yet; name one: numpyclip index --watch FOLDER.")

    told, is_first = "", True

    def update(scope: Scope) -> Report:
        options = {**_options(arguments), **_recorded(arguments), "progress": _bar if is_first else iter}
        report = index.update(new, ignore=arguments.ignore, **options, scope=scope, report=Reporter())
        new.clear()
        return report

    with contextlib.suppress(KeyboardInterrupt), terminations_as_interrupts():
        for done in updates(index.store, folders, changes(folders, say), update):
            if isinstance(done, Exception):
                if is_first and isinstance(done, InputError):
                    raise done
                if str(done) != told:  # once, however often it is tried again
                    say(f"not updated: {done} It is tried again.")
                told = str(done)
                continue
            told = ""
            if is_first:
                _say_all(arguments, done)
                say(f"watching {counted(len(folders), 'folder')} (Ctrl-C stops it)")
            elif _is_news(done):
                _say(arguments, done)
            is_first = False
    say("stopped; what was done is kept.")
    return 0


def update_in_time(arguments: argparse.Namespace, index: Index) -> None:
    """Update the index for two seconds at most, if that is possible; say what was done, and what is left."""
    from numpyclip.index.scope import Scope

    end = time.monotonic() + MOST_SECONDS
    scope = Scope(is_over=lambda: time.monotonic() > end, videos=False)
    try:
        report = index.update(**file_options(arguments), batch_size=1, scope=scope, report=say)
    except (NumPyCLIPError, OSError, MemoryError) as error:
        say(f"not updated: {error}")
        return
    if report.waiting or report.unvisited:
        counts = {"file": len(report.waiting), "folder": report.unvisited}
        left = " and ".join(counted(count, what) for what, count in counts.items() if count)
        say(f"{_described(report)}; {left} left to `numpyclip index`.")
    elif _is_news(report):
        say(_described(report))


@contextlib.contextmanager
def background_updates(
    arguments: argparse.Namespace, place: str | None, model: EmbeddingModel, every: float
) -> Iterator[None]:
    """Update an index in the background at once and then every so many seconds, for the length of a block; 0: never.

    It is no error that there is no index yet, or that another process writes to it. Messages are not repeated.
    """
    if place is None or not every or model.config.vision is None:
        yield
        return
    stop, told = threading.Event(), set[str]()

    def tell(message: object, level: str = "info") -> None:
        if str(message) not in told:
            told.add(str(message))
            say(message, level)

    def work() -> None:
        while not stop.is_set():
            if report := _update_unless_in_use(arguments, place, model, stop.is_set, tell):
                say(f"{place}: {_described(report)}")
            stop.wait(every)

    thread = threading.Thread(target=work, name="numpyclip-updates", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_LAST_SECONDS)  # longer than that, a file hangs, say


def _update_unless_in_use(
    arguments: argparse.Namespace,
    place: str,
    model: EmbeddingModel,
    is_over: Callable[[], bool],
    tell: Callable[..., None],
) -> Report | None:
    """Update an index; return what was done, if anything was."""
    from numpyclip.index import Index
    from numpyclip.index.database import InUseError, NoIndexError
    from numpyclip.index.open_store import open_store
    from numpyclip.index.scope import Scope
    from numpyclip.index.watching import QUIET

    try:
        with closing(open_store(place)) as store:
            if not store.folders():
                return None
            index = Index(store, model)
            report = index.update(**_options(arguments), scope=Scope(quiet=QUIET, is_over=is_over), report=tell)
            return report if _is_news(report) else None
    except (InUseError, NoIndexError):
        pass
    except (NumPyCLIPError, OSError, MemoryError) as error:
        tell(f"not updated: {error}", "warning")
    return None


def _is_news(report: Report) -> bool:
    """Tell whether an update has found anything new."""
    return bool(report.embedded or report.completed or report.recognised or report.forgotten or report.unreadable)


def _described(report: Report, *more: str) -> str:
    """Describe on one line what an update has done."""
    names = (*more, "embedded", "completed", "recognised", "forgotten", "unreadable")
    counts = {_WORDS.get(name, name): getattr(report, name) for name in names}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or (
        "nothing there" if more else "nothing new"
    )


def _say(arguments: argparse.Namespace, report: Report, *more: str) -> None:
    if arguments.json:
        print_json(dataclasses.asdict(report))
    else:
        say(_described(report, *more))


def _say_all(arguments: argparse.Namespace, report: Report) -> None:
    """Say what an update of everything has done, and how many files cannot be read or were left out."""
    from numpyclip.videos.container import can_read_videos, is_video_name

    _say(arguments, report, "unchanged")
    if report.remaining and not arguments.json:
        say(f"{counted(report.remaining, 'file')} cannot be read: numpyclip index --problems")
    say_left_out(report.left_out)
    if not can_read_videos() and (videos := sum(n for suffix, n in report.left_out.items() if is_video_name(suffix))):
        say(f"{counted(videos, 'video')} left out: {install_command('video')}")


def _bar(files: list[FoundFile]) -> Iterable[FoundFile]:
    return progress(files, "image", printing=False)


def _recorded(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what an index records when it is named, and otherwise has recorded."""
    return {"views": arguments.views, "animations": arguments.animations}


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return how images are decoded."""
    return {"batch_size": arguments.batch_size, "draft": arguments.draft, **file_options(arguments)}
