"""The scope of an update: which files of the folders it covers, and for how long it runs."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from numpyclip.images.find import IGNORED, FileState, is_ignored


@dataclass(frozen=True)
class Scope:
    """Which files of its folders an update looks at, and for how long."""

    only: frozenset[str] | None = None  # these files and folders, and what is in them; None: all
    quiet: float = 0.0  # seconds for which a file must not have changed, lest half of it be read
    is_over: Callable[[], bool] = lambda: False  # asked before each folder and file
    videos: bool = True  # whether new ones are looked at, each of which may take long

    def holds(self, path: str) -> bool:
        """Tell whether a file or folder is looked at."""
        return self.only is None or path in self.only or any(above in self.only for above in _above(path))

    def files(self, folder: str, files: dict[str, FileState]) -> dict[str, FileState]:
        """Return those of the files in a folder that are looked at, by name."""
        if self.holds(folder):
            return files
        return {name: state for name, state in files.items() if self.holds(os.path.join(folder, name))}

    def within(self, folder: str) -> list[str]:
        """List the files and folders in a folder to which an update is limited."""
        return sorted(path for path in self.only or () if folder in _above(path))

    def reaches(self, folder: str) -> bool:
        """Tell whether a folder is looked at, or something in it."""
        return folder in self._passed or self.holds(folder)

    @cached_property
    def _passed(self) -> set[str]:
        return {folder for path in self.only or () for folder in _above(path)}

    def is_settled(self, path: str, state: FileState) -> bool:
        """Tell whether a file seems complete: unchanged for a while, and closed by its writers."""
        if not self.quiet:
            return True
        return abs(time.time() - state.mtime_ns / 1e9) >= self.quiet and not _is_being_written(path)


EVERYTHING = Scope()


def is_within(path: str, place: str) -> bool:
    """Tell whether a path is that of a folder, or of something in it."""
    return path == place or path.startswith(os.path.join(place, ""))


def roots(folders: Sequence[str], ignored: Mapping[str, Sequence[str]]) -> list[str]:
    """Leave out folders that a walk through another one comes to."""
    return [
        folder
        for folder in dict.fromkeys(folders)
        if not any(other != folder and reaches(other, (*IGNORED, *ignored[other]), folder) for other in folders)
    ]


def reaches(folder: str, ignore: Sequence[str], other: str) -> bool:
    """Tell whether a walk through a folder comes to another one, both absolute."""
    steps = [path for path in (Path(other), *Path(other).parents) if Path(folder) in path.parents]
    return (other == folder or bool(steps)) and not any(
        step.is_symlink() or is_ignored(os.path.relpath(step, folder), ignore) for step in steps
    )


def _above(path: str) -> Iterator[str]:
    """Iterate over the folders that a path is in, to the root of the file system."""
    while (folder := os.path.dirname(path)) != path:
        yield folder
        path = folder


def _is_being_written(path: str) -> bool:
    """Tell whether a process of this machine has a file open for writing, where the system tells: Linux does.

    It grants a lease for reading only on files that nobody has open for writing. Who opens it in the next moment waits
    until the lease is given back; the signal about that is one that is ignored.
    """
    if sys.platform != "linux":
        return False
    import fcntl
    import signal

    with contextlib.suppress(OSError):  # it has gone, or may not be read
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:  # otherwise not ours, or of a file system without leases
            return error.errno == errno.EAGAIN
        finally:
            os.close(descriptor)
    return False
