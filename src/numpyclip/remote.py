"""PATH OR URL → BYTES, and back: files here, or in object stores and on web servers through fsspec."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from glob import glob as local_glob
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from numpyclip.atomic import atomic_file, temporary_path
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.resumed_stream import TRIES, ResumedStream, file_system, retried
from numpyclip.resumed_stream import is_url as is_url  # which belongs here, too

_FOLDERS = ("file", "local", "sftp", "ssh", "smb", "hdfs")  # kinds of URLs where folders have to be made


def join(place: str, name: str) -> str:
    """Return the path or URL of a file in a folder."""
    return f"{place.rstrip('/')}/{name}" if is_url(place) else os.path.join(place, name)


def base_name(place: str) -> str:
    """Return the last part of a path or URL."""
    if place.lower().startswith(("http://", "https://")):
        place = urlsplit(place).path  # without a query, which may be a signature
    return os.path.basename(place.rstrip("/" if is_url(place) else "/" + os.sep))


def without_secrets(place: str) -> str:
    """Return the path or URL of a shard as it may be written down: without a password, or a query of a web server's.

    A query is most often a signature, or a token.
    """
    if not is_url(place):
        return place
    if place.lower().startswith(("http://", "https://")):
        place = re.split("[?#]", place, maxsplit=1)[0]
    return re.sub("(?<=://)[^/]*@", "", place)


def open_stream(place: str, start: int = 0, *, ahead: bool = True, tries: int = TRIES) -> IO[bytes]:
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
    stream = ResumedStream(place, ahead, tries)
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
    system, path = file_system(pattern)
    found: dict[str, Any] = retried(pattern, lambda: system.glob(path, detail=True))
    return sorted(system.unstrip_protocol(name) for name, facts in found.items() if facts.get("type") != "directory")


def listing(folder: str, recursive: bool = False) -> list[str]:
    """List the files in a folder, paths or URLs, sorted; an empty list if there is no such folder."""
    if not is_url(folder):
        return sorted(_local_files(folder, recursive))
    system, path = file_system(folder)

    def find() -> list[str]:
        system.invalidate_cache()  # others write there, too
        try:
            return list(system.find(path, maxdepth=None if recursive else 1))
        except FileNotFoundError:
            return []

    return sorted(system.unstrip_protocol(name) for name in retried(folder, find))


def _local_files(folder: str, recursive: bool) -> Iterator[str]:
    for directory, _, names in os.walk(folder):
        yield from (os.path.join(directory, name) for name in names)
        if not recursive:
            break


def read_bytes(place: str, most: int, *, tries: int = TRIES) -> bytes:
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
        _upload(place, lambda system, path: _create(place, system, path, content))
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


def _create(place: str, system: Any, path: str, content: bytes) -> None:
    try:
        system.pipe_file(path, content, mode="create")
    except FileExistsError:
        return
    except Exception:  # of each package its own: this one, or the store, cannot do it
        if not exists(place):
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
        system, path = file_system(place)
        if exists(place):  # removing may be forbidden where nothing has to be
            retried(place, lambda: system.rm_file(path), "removed")
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
    system, path = file_system(place)

    def act() -> None:
        if place.partition(":")[0] in _FOLDERS:
            system.makedirs(system._parent(path), exist_ok=True)
        upload(system, path)

    retried(place, act, "written")


def _info(place: str) -> dict[str, Any] | None:
    system, path = file_system(place)

    def look() -> dict[str, Any] | None:
        system.invalidate_cache()
        try:
            return cast("dict[str, Any]", system.info(path))
        except FileNotFoundError:
            return None

    return retried(place, look)
