"""A file that is being downloaded, and what is known of the complete one."""

import contextlib
import errno
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHUNK = 1 << 20


@dataclass(frozen=True)
class Expected:
    """What is known of a complete file; a hub states it before it sends the file.

    Attributes
    ----------
    size : int, optional
    sha256 : str, optional
        Lower-case hexadecimal.
    sha1 : str, optional
        That of the file, or of Git's blob, which has a header before it.
    most : int, optional
        No such file is larger, if its size is unknown.
    """

    size: int | None = None
    sha256: str | None = None
    sha1: str | None = None
    most: int | None = None

    def has_size_of(self, path: Path) -> bool:
        """Tell by its size whether a file that is there may be the complete one."""
        return path.is_file() and self.size in (None, path.stat().st_size)


def sha1s(file: IO[bytes], size: int) -> tuple[str, str]:
    """Return Git's SHA-1 of a file of that size, then the plain one; the former begins with the size."""
    hashes = [hashlib.sha1(start, usedforsecurity=False) for start in (b"blob %d\0" % size, b"")]
    file.seek(0)
    while data := file.read(CHUNK):
        for one in hashes:
            one.update(data)
    return hashes[0].hexdigest(), hashes[1].hexdigest()


class Part:
    """A partial file, created or continued, and the SHA-256 of its contents.

    Written without a buffer: what was counted is in the file, even if the process is killed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.total: int | None = None  # size of the complete file, once a server has announced it
        self.spliced = False  # whether it is made of several responses
        self.etag: str | None = None  # of the last response
        self._settled = False
        self._hash = hashlib.sha256()
        self._file = path.open("a+b", buffering=0)
        try:
            self._file.seek(0)
            while data := self._file.read(CHUNK):
                self._count(data)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        if self.size == 0 and not self._settled:  # nothing to continue from
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _count(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """Of the contents so far."""
        return self._hash.hexdigest()

    def differs(self, expected: Expected) -> str | None:
        """Say why this is not the complete file, if it is not."""
        if expected.sha256 not in (None, self.sha256):
            return f"with SHA-256 {self.sha256}; expected {expected.sha256}"
        if expected.size not in (None, self.size):
            return f"expected {expected.size:,}"
        if expected.sha1 is not None and expected.sha1 not in (found := sha1s(self._file, self.size)):
            return f"with Git's SHA-1 {found[0]}; expected {expected.sha1}"
        return None

    def begin(self, etag: str | None, total: int | None) -> None:
        """Note what a response announces, whose data will be appended; OSError if the disk has no room for it."""
        self.spliced = self.size > 0
        self.etag, self.total = etag, total
        if total is not None and total - self.size > shutil.disk_usage(self.path.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def append(self, data: bytes) -> None:
        """Write all of the data at the end."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]  # a raw file may take less than it was given
        self._count(data)

    def clear(self) -> None:
        """Drop the contents."""
        self._file.truncate(0)
        self.size, self.spliced, self.etag, self._hash = 0, False, None, hashlib.sha256()

    def settle(self) -> None:
        """Flush the complete file to the disk."""
        os.fsync(self._file.fileno())
        self._settled = True

    def head(self) -> bytes:
        """Return the first bytes."""
        self._file.seek(0)  # what is appended goes to the end all the same
        return self._file.read(64) or b""
