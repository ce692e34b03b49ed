"""PATH OR URL → STREAM that resumes at its byte after a failure."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import Any

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.file_systems import TRIES, file_system, is_url, is_web, retry_reading, without_secrets
from numpyclip.regular_file import open_regular

_FEW_TRIES = 2  # of links in datasets, of which many are dead
_MUCH = 1 << 16  # bytes after which failures are counted anew
_BLOCK = 1 << 22  # bytes that are fetched at once
_VERSION = ("size", "ETag", "etag", "LastModified", "Last-Modified", "mtime", "md5Hash")  # what tells of a change


class ResumedStream(io.RawIOBase):
    """A file that is reopened at the same byte when reading fails."""

    def __init__(self, place: str, ahead: bool, patient: bool) -> None:
        self._place, self._name = place, without_secrets(place)
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
        retry_reading(self._place, self._connected, self._tries)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can seek, if necessary by reading from the start."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to another byte."""
        if whence == os.SEEK_END:
            self.connect()
            if self._size is None:
                raise InputError(f"{self._name}: the server does not send its size; download the file first.")
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size or 0}[whence]
        if self._file is not None and start + offset != self._position:
            try:
                self._file.seek(start + offset)
            except (OSError, ValueError, NotImplementedError):
                self._drop()  # to be opened there when it is read
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; InputError if that fails repeatedly."""
        left = max(1, self._tries - self._failures)
        data = retry_reading(self._place, lambda: self._read(len(buffer)), left)
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
                    raise InputError(f"{self._name}: has changed while it was read. Run this again.")
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
    try:
        file.seek(position)
    except (OSError, ValueError, NotImplementedError):
        while position and (data := file.read(min(position, _BLOCK))):
            position -= len(data)
