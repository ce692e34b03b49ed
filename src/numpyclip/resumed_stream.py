"""PATH OR URL → STREAM: opened again at its byte when reading fails, as is all else of object stores and web servers.

Files elsewhere are reached through fsspec. What fails is tried again, a few times with growing pauses.
"""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Callable
from contextlib import suppress
from time import sleep
from typing import Any, TypeVar

from numpyclip.errors import InputError, MissingPackageError, NumPyCLIPError
from numpyclip.regular_file import open_regular

TRIES = 5

_T = TypeVar("_T")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters at least: `C://` is a disk
_FIRST_PAUSE = 0.5  # seconds; each is twice the one before
_BLOCK = 1 << 22  # bytes that are fetched at once
_FINAL = (
    *(FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ValueError, TypeError, ImportError),
    *(NotImplementedError, MemoryError, NumPyCLIPError),
)
_FINAL_ERRNO = (0, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.ENOSPC, errno.EROFS)  # 0: of `open_regular`
_LATER = (408, 429)  # of the HTTP statuses from 400 to 499, those that may change
_VERSION = ("size", "ETag", "etag", "LastModified", "Last-Modified", "mtime", "md5Hash")  # what tells of a change


def is_url(place: str) -> bool:
    """Tell whether a place is a URL (``s3://bucket/key``), not a path."""
    return _URL.match(place) is not None


def is_web(place: str) -> bool:
    """Tell whether a place is a URL of a web server, where ``?`` begins a query."""
    return place.lower().startswith(("http://", "https://"))


def file_system(place: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingPackageError(
            f"{place}: URLs need the package fsspec, which is not installed. Run `pip install numpyclip[remote]`."
        ) from error
    try:
        system, path = url_to_fs(place)
    except ImportError as error:
        raise MissingPackageError(f"{place}: needs a package that is not installed ({error}).") from error
    except Exception as error:  # of any package
        raise InputError(f"{place}: is not a URL that can be opened ({_reason(error)}).") from error
    return system, path


def retried(place: str, act: Callable[[], _T], done: str = "read", tries: int = TRIES) -> _T:
    """Call a function until it succeeds; InputError, or NumPyCLIPError if it writes, after its last try."""
    for attempt in range(tries):
        try:
            return act()
        except Exception as error:  # each package has its own
            if isinstance(error, NumPyCLIPError):
                raise
            if _is_final(error) or attempt == tries - 1:
                kind = InputError if done == "read" else NumPyCLIPError
                raise kind(f"{place}: cannot be {done} ({_reason(error)}).") from error
        sleep(_FIRST_PAUSE * 2**attempt)
    raise AssertionError  # the last try returns or raises


def _is_final(error: Exception) -> bool:
    """Tell whether trying again is of no use."""
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    refused = isinstance(status, int) and 400 <= status < 500 and status not in _LATER
    return refused or isinstance(error, _FINAL) or getattr(error, "errno", None) in _FINAL_ERRNO


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return f"{getattr(error, 'strerror', None) or str(error) or type(error).__name__:.200}"


class ResumedStream(io.RawIOBase):
    """A file that is opened again at the same byte when reading it fails."""

    def __init__(self, place: str, ahead: bool, tries: int) -> None:
        self._place = place
        self._cache = "readahead" if ahead else "none"
        self._tries = tries
        self._position = 0
        self._file: Any = None
        self._version: dict[str, Any] | None = None  # of the file, as far as it is known
        self._has_ranges = True

    def connect(self) -> None:
        """Open the file, unless it is open."""
        retried(self._place, self._connected, tries=self._tries)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can seek, if need be by reading from the beginning."""
        return True

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to another byte."""
        if whence == os.SEEK_END:
            self.connect()
            if self._size is None:
                raise InputError(f"{self._place}: its server does not tell its size, which is needed to read it.")
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size or 0}[whence]
        if self._file is not None and start + offset != self._position:
            try:
                self._file.seek(start + offset)
            except (OSError, ValueError, NotImplementedError):
                self._drop()  # to be opened there when it is read
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; InputError if that fails again and again."""
        data = retried(self._place, lambda: self._read(len(buffer)), tries=self._tries)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._drop()
        super().close()

    @property
    def _size(self) -> int | None:
        return None if self._version is None else self._version.get("size")

    def _read(self, most: int) -> bytes:
        try:
            data: bytes = self._connected().read(most)
            if not data and most and self._size is not None and self._position < self._size:
                raise OSError(f"it ended after {self._position} of {self._size} bytes")
            return data
        except Exception as error:
            self._drop()
            if isinstance(error, ValueError) and self._has_ranges and not isinstance(error, NumPyCLIPError):
                self._has_ranges = False  # so fsspec's error for a web server that sends whole files only
                return self._read(most)
            raise

    def _connected(self) -> Any:
        if self._file is None:
            file, version = self._opened()
            try:
                if self._version not in (None, version):
                    raise InputError(f"{self._place}: has changed while it was read. Run this again.")
                _advance(file, self._position)
            except BaseException:
                file.close()
                raise
            self._file, self._version = file, version
        return self._file

    def _opened(self) -> tuple[Any, dict[str, Any]]:
        if not is_url(self._place):
            local = open_regular(self._place)
            status = os.fstat(local.fileno())
            return local, {"size": status.st_size, "mtime": status.st_mtime_ns}
        system, path = file_system(self._place)
        facts = system.info(path)
        block = {"block_size": _BLOCK, "cache_type": self._cache} if self._has_ranges else {"block_size": 0}
        return system.open(path, "rb", **block), {name: facts[name] for name in _VERSION if name in facts}

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(Exception):  # of a connection that is broken already
                file.close()


def _advance(file: Any, position: int) -> None:
    """Move to a byte of a file that has just been opened, by reading where it cannot seek."""
    if not position:
        return
    try:
        file.seek(position)
    except (OSError, ValueError, NotImplementedError):
        while position and (data := file.read(min(position, _BLOCK))):
            position -= len(data)
