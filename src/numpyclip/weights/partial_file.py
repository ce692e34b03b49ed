"""A file that is being downloaded, and what is known of the complete one."""

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20


@dataclass(frozen=True)
class Expected:
    """What is known of a complete file; a hub states it before it sends the file.

    Attributes
    ----------
    size : int, optional
    sha256 : str, optional
        Lower-case hexadecimal, as the two others.
    sha1 : str, optional
        Of the file, or of the file as an object of Git: which of the two an ETag is depends on the server.
    most : int, optional
        No such file is larger, if its size is unknown.
    """

    size: int | None = None
    sha256: str | None = None
    sha1: str | None = None
    most: int | None = None

    @classmethod
    def by_etag(cls, etag: str, size: int | None, most: int | None = None) -> "Expected":
        """Read a hub's ETag: the SHA-256 of a large file, the SHA-1 of a small one; anything else tells nothing."""
        digits = len(etag) if re.fullmatch("[0-9a-f]+", etag) else 0
        return cls(size, etag if digits == 64 else None, etag if digits == 40 else None, most)

    def may_be(self, path: Path) -> bool:
        """Tell by its size whether a file that is there may be the complete one."""
        return path.is_file() and self.size in (None, path.stat().st_size)

    @property
    def has_hash(self) -> bool:
        """Whether a file that was put together from several versions would be noticed."""
        return self.sha256 is not None or self.sha1 is not None


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
        if expected.sha1 is not None and expected.sha1 not in (found := self._sha1s()):
            return f"with SHA-1 {found[0]}; expected {expected.sha1}"
        return None

    def _sha1s(self) -> tuple[str, str]:
        as_git = hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
        plain = hashlib.sha1(usedforsecurity=False)
        self._file.seek(0)
        while data := self._file.read(CHUNK):
            as_git.update(data)
            plain.update(data)
        return as_git.hexdigest(), plain.hexdigest()

    def begin(self, etag: str | None, total: int | None) -> None:
        """Note what a response announces, whose data will be appended."""
        self.spliced = self.size > 0
        self.etag, self.total = etag, total

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
