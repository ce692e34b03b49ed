"""What is made under a hidden name, beside the place that it takes when it is whole.

A process that is killed leaves it there; the next one that makes the same thing removes it. That nobody is at it any
more is told by its lock, which dies with its holder: see `lock`. Where no locks can be had, it is left.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from numpyclip.errors import NumPyCLIPError
from numpyclip.weights.lock import exclusive


def _keep_nothing(part: Path) -> None:
    pass


@contextlib.contextmanager
def unfinished(target: Path, rescue: Callable[[Path], None] = _keep_nothing) -> Iterator[Path]:
    """Give a name for a file or folder to be made, on the same disk as its target.

    What is still under that name at the end is removed, as is what killed processes have left of the same target.

    Parameters
    ----------
    target : Path
    rescue : callable
        Called with the name before anything under it is removed, to take out what must not be lost.
    """
    _remove_abandoned(target, rescue)
    part = target.with_name(f".{target.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    with exclusive(part.with_suffix(".lock")):
        try:
            yield part
        finally:
            _remove(part, rescue)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes its name when it is complete; after any error there is none.

    Raises
    ------
    NumPyCLIPError
        If it cannot be written.
    """
    try:
        with unfinished(path) as part:
            with part.open("wb") as file:
                yield file
            part.replace(path)
    except OSError as error:
        raise NumPyCLIPError(f"{path}: cannot be written ({error.strerror or error}).") from error


def _remove_abandoned(target: Path, rescue: Callable[[Path], None]) -> None:
    ours = re.compile(rf"\.{re.escape(target.name)}\.[0-9]+-[0-9a-f]{{8}}\.lock")
    with contextlib.suppress(OSError):  # a folder that cannot be listed
        for lock in list(target.parent.iterdir()):
            if ours.fullmatch(lock.name):
                with exclusive(lock, wait=False) as alone:
                    if alone:
                        _remove(lock.with_suffix(".part"), rescue)


def _remove(part: Path, rescue: Callable[[Path], None]) -> None:
    rescue(part)
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
