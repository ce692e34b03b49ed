"""Opening untrusted files: regular ones only, since any other might block forever or never end."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import IO

_PIECE = 1 << 20  # bytes
_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a regular file for reading.

    It is checked again once it is open, for another file may have taken its place by then.

    Raises
    ------
    OSError
        If it cannot be opened, or is anything else: a named pipe, a device, a folder. Its `strerror` says which.
    ValueError
        If no file can have this name.
    """
    _check_kind(Path(path).stat(), path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    try:
        _check_kind(os.fstat(file.fileno()), path)
    except OSError:
        file.close()
        raise
    return file


def read_sha256(path: str | os.PathLike[str]) -> bytes:
    """Compute the SHA-256 of a regular file, in flat memory; OSError or ValueError as of `open_regular`."""
    with open_regular(path) as file:
        return sha256_of(file)


def sha256_of(file: IO[bytes]) -> bytes:
    """Compute the SHA-256 of what is left of an open file, in flat memory."""
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.digest()


def _check_kind(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((kind for test, kind in _KINDS.items() if test(status.st_mode)), "a special file")
        raise OSError(0, f"it is {kind}; expected a regular file", os.fspath(path))
