"""PATH OR URL → BYTES, and back: files here, or in object stores and on web servers through fsspec.

What fails is tried again, a few times with growing pauses; a stream that breaks is resumed at its byte.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from glob import glob as local_glob
from pathlib import Path
from time import sleep
from typing import IO, Any, TypeVar, cast
from urllib.parse import urlsplit

from numpyclip.atomic import atomic_file, temporary_path
from numpyclip.errors import InputError, MissingPackageError, NumPyCLIPError
from numpyclip.regular_file import open_regular

_T = TypeVar("_T")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters at least: `C://` is a disk
_TRIES = 5
_FIRST_PAUSE = 0.5  # seconds; each is twice the one before
_BLOCK = 1 << 22  # bytes that are fetched at once
_FINAL = (
    *(FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ValueError, TypeError, ImportError),
    *(NotImplementedError, MemoryError, NumPyCLIPError),
)
_FINAL_ERRNO = (0, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.ENOSPC, errno.EROFS)  # 0: of `open_regular`
_LATER = (408, 429)  # of the HTTP statuses from 400 to 499, those that may change
_FOLDERS = ("file", "local", "sftp", "ssh", "smb", "hdfs")  # kinds of URLs where folders have to be made
_VERSION = ("size", "ETag", "etag", "LastModified", "Last-Modified", "mtime", "md5Hash")  # what tells of a change


def is_url(place: str) -> bool:
    """Tell whether a place is a URL (``s3://bucket/key``), not a path."""
    return _URL.match(place) is not None


def join(place: str, name: str) -> str:
    """Return the path or URL of a file in a folder."""
    return f"{place.rstrip('/')}/{name}" if is_url(place) else os.path.join(place, name)


def base_name(place: str) -> str:
    """Return the last part of a path or URL."""
    if place.lower().startswith(("http://", "https://")):
        place = urlsplit(place).path  # without a query, which may be a signature
    return os.path.basename(place.rstrip("/" if is_url(place) else "/" + os.sep))


def open_stream(place: str, start: int = 0, *, ahead: bool = True, tries: int = _TRIES) -> IO[bytes]:
    """Open a file for reading from a byte on; it can seek.

    Parameters
    ----------
    place : str
        A path or URL.
    start : int, default=0
        The first byte.
    ahead : bool, default=True
        Fetch more than is asked for, as is best for reading in order.
    tries : int, default=5
        How often to try what fails.

    Raises
    ------
    InputError
        If it cannot be opened, and by `read` if it cannot be read any further.
    MissingPackageError
        If fsspec, or the package for this kind of URL, is not installed.
    """
    stream = _Resumed(place, ahead, tries)
    stream.seek(start)
    stream.connect()
    return cast("IO[bytes]", io.BufferedReader(stream, 1 << 16))


def exists(place: str) -> bool:
    """Tell whether there is a file or folder; InputError if that cannot be found out."""
    return _info(place) is not None if is_url(place) else os.path.exists(place)


def glob(pattern: str) -> list[str]:
    """List the files that fit a pattern (``*``, ``?``, ``[a-z]``, ``**``), sorted."""
    if not is_url(pattern):
        return sorted(filter(os.path.isfile, local_glob(pattern, recursive=True)))
    system, path = _file_system(pattern)
    found: dict[str, Any] = _retried(pattern, lambda: system.glob(path, detail=True))
    return sorted(system.unstrip_protocol(name) for name, facts in found.items() if facts.get("type") != "directory")


def listing(folder: str, recursive: bool = False) -> list[str]:
    """List the files in a folder, paths or URLs, sorted; an empty list if there is no such folder."""
    if not is_url(folder):
        return sorted(_local_files(folder, recursive))
    system, path = _file_system(folder)

    def find() -> list[str]:
        system.invalidate_cache()  # others write there, too
        try:
            return list(system.find(path, maxdepth=None if recursive else 1))
        except FileNotFoundError:
            return []

    return sorted(system.unstrip_protocol(name) for name in _retried(folder, find))


def _local_files(folder: str, recursive: bool) -> Iterator[str]:
    for directory, _, names in os.walk(folder):
        yield from (os.path.join(directory, name) for name in names)
        if not recursive:
            break


def read_bytes(place: str, most: int, *, tries: int = _TRIES) -> bytes:
    """Read a small file; InputError if it cannot be read, or has more bytes."""
    with open_stream(place, tries=tries) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise InputError(f"{place}: has more than {most} bytes.")
    return content


def write_new(place: str, content: bytes) -> None:
    """Write a small file, atomically, unless it is there; NumPyCLIPError if it cannot be written.

    Of several that do so at the same time one succeeds; where there are no hard links, or no conditional writes in an
    object store, the last may replace what others have written.
    """
    if is_url(place):
        _upload(place, lambda system, path: _create(system, path, content))
        return
    target = Path(place)
    try:
        with temporary_path(target) as part:
            part.write_bytes(content)
            _name(part, target)
    except OSError as error:
        if isinstance(error, NumPyCLIPError):
            raise
        raise NumPyCLIPError(f"{place}: cannot be written ({error.strerror or error}).") from error


def _name(part: Path, target: Path) -> None:
    try:
        os.link(part, target)  # which replaces nothing, unlike a rename
    except FileExistsError:
        return
    except (OSError, AttributeError):  # as of FAT, and of Android's Python
        part.replace(target)


def _create(system: Any, path: str, content: bytes) -> None:
    try:
        system.pipe_file(path, content, mode="create")
    except FileExistsError:
        return
    except Exception:  # of each package its own: this one, or the store, cannot do it
        system.pipe_file(path, content)


def put(file: Path, place: str) -> None:
    """Put a copy of a finished file at a path or URL, atomically; NumPyCLIPError if it cannot be written.

    The whole file is uploaded at once: an fsspec file that is closed after an error would leave half of it there.
    """
    if is_url(place):
        _upload(place, lambda system, path: system.put_file(str(file), path))
    else:
        with file.open("rb") as source:
            _write(place, lambda target: shutil.copyfileobj(source, target))


def remove(place: str) -> None:
    """Remove a file, if it is there; NumPyCLIPError if it cannot be removed."""
    if is_url(place):
        system, path = _file_system(place)
        if exists(place):  # removing may be forbidden where nothing has to be
            _retried(place, lambda: system.rm_file(path), "removed")
        return
    try:
        Path(place).unlink(missing_ok=True)
    except OSError as error:
        raise NumPyCLIPError(f"{place}: cannot be removed ({error.strerror or error}).") from error


def _write(place: str, write: Callable[[IO[bytes]], object]) -> None:
    target = Path(place)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NumPyCLIPError(f"{place}: cannot be written ({error.strerror or error}).") from error
    with atomic_file(target) as file:
        write(file)


def _upload(place: str, upload: Callable[[Any, str], object]) -> None:
    system, path = _file_system(place)

    def act() -> None:
        if place.partition(":")[0] in _FOLDERS:
            system.makedirs(system._parent(path), exist_ok=True)
        upload(system, path)

    _retried(place, act, "written")


def _file_system(place: str) -> tuple[Any, str]:
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


def _info(place: str) -> dict[str, Any] | None:
    system, path = _file_system(place)

    def look() -> dict[str, Any] | None:
        system.invalidate_cache()
        try:
            return cast("dict[str, Any]", system.info(path))
        except FileNotFoundError:
            return None

    return _retried(place, look)


def _retried(place: str, act: Callable[[], _T], done: str = "read", tries: int = _TRIES) -> _T:
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


class _Resumed(io.RawIOBase):
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
        _retried(self._place, self._connected, tries=self._tries)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
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
        data = _retried(self._place, lambda: self._read(len(buffer)), tries=self._tries)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
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
        system, path = _file_system(self._place)
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
