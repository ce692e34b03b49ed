"""Atomic writes: a file or folder takes its name when it is complete, and not before.

It is made beside its target under a hidden temporary name, which a lock goes with. A killed process leaves it there,
and the next one that writes the same target removes it: the lock, which dies with its holder (see `numpyclip.lock`),
tells that nobody is writing any more. Where no locks can be had, it stays.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.escaping import printable
from numpyclip.lock import exclusive
from numpyclip.regular_file import open_regular

_PART = re.compile(r"\.(.+)\.[0-9]+-[0-9a-f]{8}\.part", re.DOTALL)
_REPLACED = "old"  # in the temporary folder of `atomic_folder`: what was under the name before


@contextlib.contextmanager
def atomic_file(target: Path) -> Iterator[IO[bytes]]:
    """Open a file to write, which takes its name at the end, and not after an error.

    Raises
    ------
    NumPyCLIPError
        If it cannot be written: the disk is full, say.
    """
    with written(target), temporary_path(target) as part:
        with part.open("wb") as file:
            yield file
        part.replace(target)


@contextlib.contextmanager
def atomic_folder(target: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill, which takes its name at the end, and not after an error.

    Parameters
    ----------
    target : Path
    overwrite : bool, default=False
        Replace a folder that is there, which stays until then, and after an error.

    Raises
    ------
    NumPyCLIPError
        If it cannot be written.
    """
    with written(target), temporary_path(target) as part:
        part.mkdir()  # without parents: a mistyped folder is no reason to create others
        new = part / "new"
        new.mkdir()
        yield new
        if overwrite and target.exists():
            target.replace(part / _REPLACED)
        new.replace(target)  # which fails if somebody else has made it meanwhile


def write_files(folder: Path, files: Mapping[str, bytes | Path]) -> None:
    """Write files of a folder, contents or copies of other files, down to the disk."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("wb") as file:
            if isinstance(content, Path):
                with open_regular(content) as source:
                    shutil.copyfileobj(source, file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def temporary_path(target: Path) -> Iterator[Path]:
    """Give a name for a file or folder to be made, on the same disk as its target, to be moved there.

    What is still under that name at the end is removed, as is what killed processes have left of the same target.
    """
    if not target.name:
        raise InputError(f"{target}: cannot be replaced; expected the name of a file or folder within it.")
    name = _short(target.name)
    remove_abandoned(target.parent, name)
    part = target.with_name(f".{name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    with exclusive(part.with_suffix(".lock")):
        try:
            yield part
        finally:
            _remove(part, target)


@contextlib.contextmanager
def resumable_path(target: Path, message: str, *, lock: Path | None = None, suffix: str = ".part") -> Iterator[Path]:
    """Give one process at a time the same name, under which what was written stays, to be continued after an error.

    Others wait, and print the message. Where no locks can be had, each gets a `temporary_path`. The lock
    is beside the target unless it is passed.
    """
    with exclusive(lock or target.with_name(f"{target.name}.lock"), message=printable(message)) as alone:
        if alone:
            yield resumable_part(target, suffix)
            return
        with temporary_path(target) as part:
            yield part


def resumable_part(target: Path, suffix: str = ".part") -> Path:
    """Return the name that `resumable_path` gives."""
    return target.with_name(f"{target.name}{suffix}")


def _short(name: str) -> str:
    """Return a name to which something can be added: file systems have 255 bytes for all."""
    return name if len(os.fsencode(name)) <= 200 else name[:48]


def remove_abandoned(folder: Path, target: str | None = None) -> None:
    """Remove what killed processes have left in a folder, of one target there or of all."""
    left = re.compile(r"\.(.+)\.[0-9]+-[0-9a-f]{8}\.lock", re.DOTALL)
    with contextlib.suppress(OSError):  # a folder that cannot be listed
        for lock in list(folder.iterdir()):
            if (match := left.fullmatch(lock.name)) and target in (None, match[1]):
                with exclusive(lock, wait=False) as alone:
                    if alone:
                        _remove(lock.with_suffix(".part"), folder / match[1])


def _remove(part: Path, target: Path) -> None:
    if (part / _REPLACED).exists() and not target.exists():  # killed before the new folder took its place
        (part / _REPLACED).replace(target)
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):  # of a read-only file system, which is told by what failed before
            part.unlink()


@contextlib.contextmanager
def written(target: Path) -> Iterator[None]:
    """Raise NumPyCLIPError for an OSError: the file or folder cannot be written."""
    try:
        yield
    except OSError as error:
        if isinstance(error, NumPyCLIPError):
            raise
        raise NumPyCLIPError(f"{_final(target)}: cannot be written ({error.strerror or error}).") from error


def _final(path: Path) -> Path:
    """Return the path that a file will have when the folder that it is written to has taken its name."""
    for new in path.parents:
        if new.name == "new" and (match := _PART.fullmatch(new.parent.name)):
            return new.parent.with_name(match[1]) / path.relative_to(new)
    return path
