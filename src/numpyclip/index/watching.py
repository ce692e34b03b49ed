"""FOLDERS → UPDATES: what changes in the folders of an index, as the system tells it through watchfiles."""

from __future__ import annotations

import os
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

from numpyclip.errors import NumPyCLIPError
from numpyclip.extras import missing
from numpyclip.images.find import IGNORED, FileState, is_ignored, stem
from numpyclip.index.scope import Scope, reaches
from numpyclip.index.store import Store
from numpyclip.index.update import Report
from numpyclip.index.video_files import is_indexed_name

QUIET = 2.0  # seconds after which a file counts as complete
_DELETED = 3  # watchfiles.Change.deleted
_TICK = 1000  # milliseconds without a change after which those that wait are looked at again
_STEP = 250  # milliseconds between two questions for changes
_MOST = 4096  # changes at once: the queue of the kernel has 16,384, and when it overflows watchfiles does not say so
_EVERYTHING = 3600.0  # seconds after which all is looked at, also where the system tells nothing, as of other machines
_AGAIN = 60.0  # seconds at most until changes are watched again, where that has failed several times
_RETRY = 10.0  # seconds until an update is tried again


def watcher() -> Callable[..., Iterator[set[tuple[Any, str]]]]:
    """Return what watches; MissingPackageError if it is not installed."""
    try:
        from watchfiles import watch
    except ImportError as error:
        raise missing("watching folders needs watchfiles", "watch") from error
    return watch  # type: ignore[no-any-return]


def changes(folders: Collection[str], report: Callable[[str], object]) -> Iterator[set[str]]:
    """Iterate over what has changed since the last time, about every second: paths of files and folders.

    A folder of those that are watched stands for everything in it. At first that are all: what changes while they are
    looked at is in the next set. They are told again when they come or go, as disks do, when there were too many
    changes, when watching has failed, and every hour.
    """
    watch = watcher()
    known: dict[str, object] = {}
    pause, told = 1.0, ""
    while True:
        there = _identities(folders)
        anew = {folder for folder in folders if there.get(folder, "") != known.get(folder, "")}
        known, begun = there, time.monotonic()
        again = begun + _EVERYTHING
        real = {path: folder for folder in there if (path := os.path.realpath(folder)) != folder}
        options = {"rust_timeout": _TICK, "step": _STEP, "ignore_permission_denied": True}
        try:
            for found in watch(*there, watch_filter=None, yield_on_timeout=True, **options) if there else _ticks():
                paths = {path for _, path in found if path not in there}
                gone = {path for change, path in found if path in there and change == _DELETED}
                for start, folder in real.items():  # macOS tells the path that a link leads to
                    paths |= {folder + path[len(start) :] for path in paths if path.startswith(start + os.sep)}
                if len(paths) > _MOST or time.monotonic() > again:
                    paths, again = set(there), time.monotonic() + _EVERYTHING
                if gone:  # perhaps it is back already, but the system tells no more of it
                    known = {**there, **dict.fromkeys(gone)}
                yield anew | paths
                anew = set()
                if gone or _identities(folders) != there:
                    break
        except (OSError, RuntimeError) as error:  # such as that there are too many folders, or a name is no UTF-8
            if str(error) != told:
                report(f"file changes are not reported ({error}); all folders are scanned instead.")
            pause = 1.0 if time.monotonic() - begun > _AGAIN else min(2 * pause, _AGAIN)
            known, told = {}, str(error)
            yield anew
            time.sleep(pause)


def updates(
    store: Store, folders: Collection[str], changed: Iterable[set[str]], update: Callable[[Scope], Report]
) -> Iterator[Report | Exception]:
    """Update an index with each set of changes; iterate over what was done, or the error that kept it from being done.

    Files that are still being written wait, and so do all after an error.
    """
    waiting: set[str] = set()
    retry = 0.0
    for paths in changed:
        waiting |= paths
        if time.monotonic() < retry:
            continue
        ready = {path for path in waiting if path in folders or _is_settled(path)}
        try:
            only = frozenset(_with_others(_wanted(ready, store, folders), store))
            report = update(Scope(only, QUIET)) if only else Report()
        except (NumPyCLIPError, OSError, MemoryError) as error:
            retry = time.monotonic() + _RETRY
            yield error
            continue
        waiting = (waiting - ready).union(report.waiting)
        if only:
            yield report


def _identities(folders: Iterable[str]) -> dict[str, object]:
    """Tell which of some folders are there, and which: another disk in the same place is another folder."""
    found: dict[str, object] = {}
    for folder in folders:
        try:
            state = os.stat(folder)
        except OSError:
            continue
        if stat.S_ISDIR(state.st_mode):
            found[folder] = state.st_dev, state.st_ino
    return found


def _ticks() -> Iterator[set[tuple[Any, str]]]:
    """Iterate over no changes, at the times at which a watcher would."""
    while True:
        yield set()
        time.sleep(_TICK / 1000)


def _is_settled(path: str) -> bool:
    """Tell whether a file is complete; a folder, whether the system tells all changes in it: not at once if it is new.

    What is gone is settled.
    """
    try:
        found = os.stat(path)
    except OSError:
        return True
    if stat.S_ISDIR(found.st_mode):
        return abs(time.time() - found.st_mtime) >= QUIET
    return Scope(quiet=QUIET).is_settled(path, FileState(found.st_size, found.st_mtime_ns))


def _wanted(paths: Iterable[str], store: Store, folders: Collection[str]) -> Iterator[str]:
    """Leave out what an update would not come to, and files that are no images."""
    known = store.folders()
    for path in paths:
        directory = os.path.dirname(path)
        if path in folders:
            yield path
        elif is_indexed_name(path) or os.path.isdir(path) or (not os.path.exists(path) and store.directories(path)):
            ignored = {folder: (*IGNORED, *patterns) for folder, patterns in known.items()}
            if any(
                reaches(folder, ignore, directory) and not is_ignored(os.path.relpath(path, folder), ignore)
                for folder, ignore in ignored.items()
            ):
                yield path


def _with_others(paths: Iterable[str], store: Store) -> Iterator[str]:
    """Add the other files of photographs, of which one or another is indexed: of RAW files and Live Photos."""
    changed: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        yield path
        if is_indexed_name(path):
            changed[os.path.dirname(path)].add(stem(os.path.basename(path)))
    for folder, stems in changed.items():
        names = {*store.files(folder)}
        with suppress(OSError):  # it is gone
            names.update(filter(is_indexed_name, os.listdir(folder)))
        yield from (os.path.join(folder, name) for name in names if stem(name) in stems)
