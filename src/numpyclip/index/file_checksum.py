"""The checksum of a database file that its last writer left, by which damage is told when it is opened again.

SQLite knows whether pages fit together, but not whether what is in them has changed. A writer removes the checksum
before its first change, and writes a new one when all is in the file; so it is missing while somebody writes, and after
a writer was killed.
"""

from __future__ import annotations

import contextlib
import shutil
import zlib
from pathlib import Path

from numpyclip.atomic import temporary_path
from numpyclip.regular_file import open_regular

SUFFIX = "-checksum"
_AT_ONCE = 1 << 20  # bytes that are read
_MOST = 100  # bytes of the file with the checksum


def checksum(file: Path) -> str:
    """Return the size and the CRC-32 of a file; OSError if it is not a regular one."""
    crc = size = 0
    with open_regular(file) as stream:
        while block := stream.read(_AT_ONCE):
            crc, size = zlib.crc32(block, crc), size + len(block)
    return f"{size}-{crc:08x}"


def record(file: Path) -> None:
    """Write the checksum of a file beside it, if that can be done."""
    with contextlib.suppress(OSError), temporary_path(_beside(file)) as part:
        part.write_text(checksum(file), "ascii")
        part.replace(_beside(file))


def forget(file: Path) -> None:
    """Remove the checksum, before the file is changed."""
    if _beside(file).is_dir():
        shutil.rmtree(_beside(file))
    _beside(file).unlink(missing_ok=True)


def recorded(file: Path) -> str | None:
    """Read the checksum that a file should have; None if there is none."""
    try:
        with open_regular(_beside(file)) as stream:
            return stream.read(_MOST).decode("ascii", "replace")
    except FileNotFoundError:
        return None


def _beside(file: Path) -> Path:
    return file.with_name(file.name + SUFFIX)
