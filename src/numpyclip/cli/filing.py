"""Copy, move and link files into a folder, atomically and without overwriting."""

from __future__ import annotations

import contextlib
import errno
import filecmp
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

from numpyclip.atomic import temporary_path


def place_in(folder: Path, path: str, sources: Sequence[str]) -> Path:
    """Return the path of a file in a folder: images of a folder keep their relative path."""
    inside = [source for source in sources if Path(path).is_relative_to(source) and Path(source).is_dir()]
    return folder / (Path(path).relative_to(max(inside, key=len)) if inside else Path(path).name)


def free_name(place: Path, path: str) -> Path | None:
    """Find a name that is free, ``name (2).jpg`` where others have it; None if the same file is there already."""
    for name in _names(place):
        if not os.path.lexists(name):
            return name
        if name.is_file() and filecmp.cmp(name, path, shallow=False):
            return None
    raise AssertionError  # there are more numbers than files


def _names(place: Path) -> Iterator[Path]:
    yield place
    for number in count(2):
        yield place.with_name(f"{place.stem} ({number}){place.suffix}")


def copy(path: str, place: Path) -> None:
    """Copy a file, with its times and permissions where the folder can have them."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with temporary_path(place) as part:
        shutil.copyfile(path, part)
        with contextlib.suppress(OSError, OverflowError):
            shutil.copystat(path, part)
        part.replace(place)


def move(path: str, place: Path) -> None:
    """Move a file; to another disk, copy it before it is removed. A link leads to the same file afterwards."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if Path(path).is_symlink():
        link(path, place)
        Path(path).unlink()
        return
    try:
        Path(path).rename(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(path, place)
        Path(path).unlink()


def link(path: str, place: Path) -> None:
    """Make a symbolic link to a file."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(Path(path).resolve())


ACTIONS: dict[str, Callable[[str, Path], None]] = {"copy": copy, "move": move, "link": link}
