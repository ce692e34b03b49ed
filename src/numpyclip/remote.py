"""PATH OR URL → BYTES, and back: files here, or in object stores and on web servers through fsspec.

What reads and writes is retried, a few times with growing pauses; a stream that breaks is resumed at its byte.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO


def is_url(place: str) -> bool:
    """Tell whether a place is a URL (``s3://bucket/key``), not a path."""
    raise NotImplementedError


def join(place: str, name: str) -> str:
    """Return the path or URL of a file in a folder."""
    raise NotImplementedError


def base_name(place: str) -> str:
    """Return the last part of a path or URL."""
    raise NotImplementedError


def open_stream(place: str, start: int = 0) -> IO[bytes]:
    """Open a file for reading; it can seek, unless a web server cannot.

    Raises
    ------
    InputError
        If it cannot be opened, and by `read` if it cannot be read any further.
    MissingPackageError
        If fsspec, or the package for this kind of URL, is not installed.
    """
    raise NotImplementedError


def size(place: str) -> int | None:
    """Return the size of a file in bytes; None if there is none, or a server does not tell."""
    raise NotImplementedError


def exists(place: str) -> bool:
    """Tell whether there is a file or folder; InputError if that cannot be found out."""
    raise NotImplementedError


def glob(pattern: str) -> list[str]:
    """List the files that fit a pattern (``*``, ``?``, ``[a-z]``, ``**``), sorted."""
    raise NotImplementedError


def listing(folder: str, recursive: bool = False) -> list[str]:
    """List the files in a folder, paths or URLs, sorted; an empty list if there is no such folder."""
    raise NotImplementedError


def read_bytes(place: str, most: int) -> bytes:
    """Read a small file; InputError if it cannot be read, or has more bytes."""
    raise NotImplementedError


def write_bytes(place: str, content: bytes) -> None:
    """Write a small file, atomically; NumPyCLIPError if it cannot be written."""
    raise NotImplementedError


def put(file: Path, place: str) -> None:
    """Put a copy of a finished file at a path or URL, atomically; NumPyCLIPError if it cannot be written."""
    raise NotImplementedError
