"""PATH OR URL → BYTES, and back: local files, and files in object stores and on web servers through fsspec."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from glob import glob as local_glob
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar, cast
from urllib.parse import urlsplit

from numpyclip.atomic import temporary_path, written
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.file_systems import file_system, is_url, is_web, retry_reading, retry_writing
from numpyclip.resumed_stream import ResumedStream

_NO_CONDITIONS = (errno.ENOSYS, errno.EINVAL)  # of a store without conditional writes

_T = TypeVar("_T")


def join(place: str, name: str) -> str:
    """Return the path or URL of a file in a folder."""
    return f"{place.rstrip('/')}/{name}" if is_url(place) else os.path.join(place, name)


def base_name(place: str) -> str:
    """Return the last part of a path or URL."""
    if is_web(place):
        place = urlsplit(place).path  # without a query, which may be a signature
    return os.path.basename(place.rstrip("/" if is_url(place) else "/" + os.sep))


def open_stream(place: str, start: int = 0, *, ahead: bool = True, patient: bool = True) -> IO[bytes]:
    """Open a file for reading from a byte on; it can seek.

    Parameters
    ----------
    place : str
        A path or URL.
    start : int, default=0
        The first byte.
    ahead : bool, default=True
        Read ahead, as is best for sequential reading.
    patient : bool, default=True
        Try five times, not twice, without a total time limit while a web server sends data.

    Raises
    ------
    InputError
        If it cannot be opened or, by `read`, read further; OutageError if a later try may succeed, CredentialsError
        if credentials for its object store are missing.
    MissingPackageError
        If fsspec, or the package for this kind of URL, is not installed.
    """
    stream = ResumedStream(place, ahead, patient)
    stream.seek(start)
    stream.connect()
    return cast("IO[bytes]", io.BufferedReader(stream, 1 << 16))


def exists(place: str) -> bool:
    """Tell whether a file or folder exists; InputError if that cannot be determined."""
    return bool(_asked(place, lambda system, path: [system.info(path)])) if is_url(place) else os.path.exists(place)


def glob(pattern: str) -> list[str]:
    """List the files that match a pattern (``*``, ``?``, ``[a-z]``, ``**``), sorted."""
    if not is_url(pattern):
        return sorted(filter(os.path.isfile, local_glob(pattern, recursive=True)))

    def find(system: Any, path: str) -> list[str]:
        found = system.glob(path, detail=True)
        return _urls(pattern, path, (name for name, facts in found.items() if facts.get("type") != "directory"))

    return _asked(pattern, find)


def listing(folder: str, recursive: bool = False) -> list[str]:
    """List the files in a folder, paths or URLs, sorted; an empty list if there is no such folder."""
    depth = None if recursive else 1
    if is_url(folder):
        return _asked(folder, lambda system, path: _urls(folder, path, system.find(path, maxdepth=depth)))
    return sorted(os.path.join(directory, name) for directory, _, files in _walk(folder, depth) for name in files)


def names(folder: str) -> list[str]:
    """List the names of files and folders in a folder, sorted; an empty list if there is no such folder."""
    if is_url(folder):
        found = _asked(folder, lambda system, path: _urls(folder, path, system.ls(path, detail=False)))
        return [base_name(url) for url in found if url.rstrip("/") != folder.rstrip("/")]  # S3 may list the folder, too
    return sorted(name for _, folders, files in _walk(folder, 1) for name in (*folders, *files))


def _walk(folder: str, depth: int | None) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk a folder as `os.walk` does; InputError for one that cannot be listed, so that it does not seem empty."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise InputError(f"{error.filename}: cannot be read ({error.strerror or error}).") from error

    return islice(os.walk(folder, onerror=refuse), depth)


def _asked(place: str, ask: Callable[[Any, str], list[_T]], retry: Callable[..., list[_T]] = retry_reading) -> list[_T]:
    """Ask the file system of a URL for a list, which is empty where there is no such file or folder."""
    system, path = file_system(place)

    def act() -> list[_T]:
        system.invalidate_cache()  # others write there, too
        try:
            return ask(system, path)
        except FileNotFoundError:
            return []

    return retry(place, act)


def _urls(place: str, path: str, found: Iterable[str]) -> list[str]:
    """Return the URLs of what was found, sorted, with the host or chain of file systems, which its names leave out."""
    before, link, _ = place.partition("://")[0].rpartition("::")  # `simplecache::` has no path
    head, colons, chain = place.removeprefix(before + link).partition("::")
    if path and head.endswith("/"):
        path = f"{path.rstrip('/')}/"
    same = len(os.path.commonprefix((head[::-1], path[::-1])))  # the end of both
    start, skipped = head[: len(head) - same], len(path) - same
    return sorted(f"{before}{link}{start}{name[skipped:]}{colons}{chain}" for name in found)


def read_bytes(place: str, most: int) -> bytes:
    """Read a small file; InputError if it cannot be read, or has more bytes."""
    with open_stream(place) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise InputError(f"{place}: has more than {most} bytes.")
    return content


def write_new(place: str, content: bytes) -> None:
    """Write a small file, atomically, unless it exists; NumPyCLIPError if it cannot be written.

    Of several concurrent writers one succeeds; without hard links, or conditional writes of an object store, the last
    may replace the file of another.
    """
    if is_url(place):
        system, path = file_system(place)
        retry_writing(place, lambda: _create(place, system, path, content))
        return
    target = Path(place)
    with written(target), temporary_path(target) as part:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # after a power failure it is there, or it is not, but it is never empty
        try:
            os.link(part, target)  # which replaces nothing, unlike a rename
        except FileExistsError:
            return
        except (OSError, AttributeError):  # as of FAT, and of Android's Python
            part.replace(target)


def _create(place: str, system: Any, path: str, content: bytes) -> None:
    try:
        system.pipe_file(path, content, mode="create")
    except Exception as error:  # of each package its own
        if exists(place):
            return
        if not (isinstance(error, TypeError | NotImplementedError) or getattr(error, "errno", None) in _NO_CONDITIONS):
            raise  # to be tried again: the store is busy, or another is writing it
        system.pipe_file(path, content)


def put(file: Path, url: str) -> None:
    """Upload a finished file, atomically in object stores; NumPyCLIPError if it cannot be written.

    The whole file is uploaded at once: an fsspec file that is closed after an error would leave half of it there.
    """
    system, path = file_system(url)
    retry_writing(url, lambda: system.put_file(str(file), path))


def remove(place: str) -> None:
    """Remove a file, if it exists; NumPyCLIPError if it cannot be removed."""
    if is_url(place):
        retry = partial(retry_writing, done="removed")
        # Removing may be forbidden where nothing has to be.
        _asked(place, lambda system, path: [system.info(path), system.rm_file(path)], retry)
        return
    try:
        Path(place).unlink(missing_ok=True)
    except OSError as error:
        raise NumPyCLIPError(f"{place}: cannot be removed ({error.strerror or error}).") from error
