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
_FEW_TRIES = 2  # of links in datasets, of which many are dead

_T = TypeVar("_T")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters at least: `C://` is a disk
_FIRST_PAUSE = 0.5  # seconds; each is twice the one before
_MUCH = 1 << 16  # bytes after which failures are counted anew
_BLOCK = 1 << 22  # bytes that are fetched at once
_CONNECT, _SILENT, _REQUEST = 10, 30, 60  # seconds that web servers have: to connect, to say anything, to answer a link
_FINAL = (
    *(FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ValueError, TypeError, ImportError),
    *(NotImplementedError, MemoryError, NumPyCLIPError),
)
_FINAL_ERRNO = (0, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.ENOSPC, errno.EROFS)  # 0: of `open_regular`
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError")  # classes of botocore
_LATER = (408, 429)  # of the HTTP statuses from 400 to 499, those that may change
_VERSION = ("size", "ETag", "etag", "LastModified", "Last-Modified", "mtime", "md5Hash")  # what tells of a change


class OutageError(InputError):
    """A file cannot be reached, again and again, but may be later."""


class CredentialsError(InputError):
    """No credentials are found, with which files of an object store could be read."""


def is_url(place: str) -> bool:
    """Tell whether a place is a URL (``s3://bucket/key``), not a path."""
    return _URL.match(place) is not None


def is_web(place: str) -> bool:
    """Tell whether a place is a URL of a web server, where ``?`` begins a query."""
    return place.lower().startswith(("http://", "https://"))


def file_system(place: str, patient: bool = True) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it; with patience, web servers may send slowly."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingPackageError(
            f'{place}: URLs need the package fsspec, and s3:// also s3fs: pip install "numpyclip[remote]" s3fs.'
        ) from error
    try:
        system, path = url_to_fs(place, **(_timeouts(patient) if is_web(place) else {}))
    except ImportError as error:
        raise MissingPackageError(f"{place}: needs a package that is not installed ({error}).") from error
    except Exception as error:  # of any package
        raise InputError(f"{place}: is not a URL that can be opened ({_reason(error)}).") from error
    return system, path


def _timeouts(patient: bool) -> dict[str, Any]:
    """Return options of requests: aiohttp would wait five minutes for a server that hangs, and end longer streams."""
    from aiohttp import ClientTimeout

    return {"timeout": ClientTimeout(None if patient else _REQUEST, sock_connect=_CONNECT, sock_read=_SILENT)}


def retried(place: str, act: Callable[[], _T], done: str = "read", tries: int = TRIES) -> _T:
    """Call a function until it succeeds; OutageError, or NumPyCLIPError if it writes, after its last try."""
    for attempt in range(tries):
        try:
            return act()
        except Exception as error:  # each package has its own
            if isinstance(error, NumPyCLIPError):
                raise
            lacks_credentials = type(error).__name__ in _NO_CREDENTIALS
            if lacks_credentials and done == "read":
                advice = "For a public bucket set FSSPEC_S3_ANON=true."
                raise CredentialsError(f"{place}: cannot be read ({_reason(error)}). {advice}") from error
            if (is_final := lacks_credentials or _is_final(error)) or attempt == tries - 1:
                kind = NumPyCLIPError if done != "read" else InputError if is_final else OutageError
                raise kind(f"{place}: cannot be {done} ({_reason(error)}).") from error
        sleep(_FIRST_PAUSE * 2**attempt)
    raise AssertionError  # the last try returns or raises


def _is_final(error: Exception) -> bool:
    """Tell whether trying again is of no use."""
    error = _actual(error)
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    refused = isinstance(status, int) and 400 <= status < 500 and status not in _LATER
    refused = refused or type(error).__name__ == "TooManyRedirects"  # aiohttp's
    return refused or isinstance(error, _FINAL) or getattr(error, "errno", None) in _FINAL_ERRNO


def _actual(error: Exception) -> Exception:
    """Return what fsspec calls FileNotFoundError, as it does whatever keeps a web server from answering."""
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and isinstance(cause, Exception) and getattr(cause, "status", None) != 404:
        is_of_web = isinstance(cause, TimeoutError) or type(cause).__module__.startswith(("aiohttp.", "asyncio."))
        return cause if is_of_web else error
    return error


def _reason(error: Exception) -> str:
    error = _actual(error)
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if getattr(error, "message", None) == "":  # aiohttp's
        return type(error).__name__
    return f"{getattr(error, 'strerror', None) or str(error) or type(error).__name__:.200}"


class ResumedStream(io.RawIOBase):
    """A file that is opened again at the same byte when reading it fails."""

    def __init__(self, place: str, ahead: bool, patient: bool) -> None:
        self._place = place
        self._cache = "readahead" if ahead else "none"
        self._patient = patient
        self._tries = TRIES if patient else _FEW_TRIES
        self._position = 0
        self._failures = 0  # since much was read without one
        self._read_since = 0  # bytes
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
        left = max(1, self._tries - self._failures)
        data = retried(self._place, lambda: self._read(len(buffer)), tries=left)
        buffer[: len(data)] = data
        self._position += len(data)
        self._read_since += len(data)
        if self._read_since >= _MUCH:
            self._failures = 0
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
            self._failures, self._read_since = self._failures + 1, 0
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
        system, path = file_system(self._place, self._patient)
        # Files of web servers do not keep what they ask for. Others do; without a size, those of S3 also see to it that
        # all requests are answered from one version.
        facts: dict[str, Any] = system.info(path) if is_web(self._place) else {}
        self._has_ranges = self._has_ranges and facts.get("partial") is not False
        options = {"block_size": _BLOCK, "cache_type": self._cache} if self._has_ranges else {"block_size": 0}
        if facts:
            options["size"] = facts["size"]
        file = system.open(path, "rb", **options)
        facts = facts or getattr(file, "details", None) or system.info(path)
        return file, {name: facts[name] for name in _VERSION if name in facts}

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
