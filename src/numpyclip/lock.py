"""A lock between processes and threads, which the operating system releases when its holder dies.

It is a lock on an open file, not the existence of a file, so that nothing stale can block the next process. It is taken
on a file of its own, not on the one being written, because Windows cannot rename a file that a waiting process has
open.
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_POLL = 0.2  # seconds between two attempts, on Windows, whose own waiting lock gives up after ten


def _take(file: IO[bytes], wait: bool) -> None:
    """Lock an open file; without `wait`, raise BlockingIOError if another holds it."""
    if sys.platform == "win32":
        import msvcrt

        while True:
            try:
                file.seek(0)
                return msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            except PermissionError as error:
                if not wait:
                    raise BlockingIOError(*error.args) from error
                time.sleep(_POLL)
    else:
        import fcntl

        # flock, not lockf: it belongs to this open file, so that two threads exclude each other as well
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(file: IO[bytes], path: Path) -> bool:
    """Tell whether `path` still names the open file: the holder before may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _acquire(path: Path, wait: bool, message: str) -> IO[bytes]:
    while True:
        file = path.open("ab")
        try:
            try:
                _take(file, wait=False)
            except BlockingIOError:
                if not wait:
                    raise
                if message and sys.stderr is not None:
                    print(message, file=sys.stderr, flush=True)
                _take(file, wait=True)
            if _is_at(file, path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _release(file: IO[bytes], path: Path) -> None:
    if sys.platform == "win32":  # cannot remove what is open; and cannot remove it while another has it open
        file.close()
        with contextlib.suppress(OSError):
            path.unlink()
    else:
        import fcntl

        with contextlib.suppress(OSError):
            path.unlink()
        with contextlib.suppress(OSError):  # closing is not enough if the process was forked meanwhile
            fcntl.flock(file, fcntl.LOCK_UN)
        file.close()


@contextlib.contextmanager
def exclusive(path: Path, wait: bool = True, message: str = "") -> Iterator[bool]:
    """Hold the lock at `path` for the length of the block.

    Parameters
    ----------
    path : Path
    wait : bool, default=True
        Wait if another process or thread holds it; otherwise yield False.
    message : str, default=""
        Printed on stderr before waiting.

    Yields
    ------
    bool
        Whether the lock is held. It is not where locks do not work (a folder that cannot be written, a network disk).
    """
    try:
        file = _acquire(path, wait, message)
    except (OSError, ImportError):
        file = None
    try:
        yield file is not None
    finally:
        if file is not None:
            _release(file, path)
