"""FOLDERS → FILES: which files in a folder are pictures."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from numpyclip.index.records import FileState
from numpyclip.pictures import PICTURE_SUFFIXES

# Folders of other programs, which hold copies and previews of pictures, or nothing that a person has put there.
IGNORED = ("@eaDir", "__MACOSX", "node_modules", "lost+found", "$RECYCLE.BIN", "System Volume Information")


def picture_files(
    folder: str, ignore: Sequence[str], report: Callable[[OSError], object]
) -> Iterator[tuple[str, dict[str, FileState]]]:
    """Walk through a folder and those in it, but for hidden ones; links to folders are not followed.

    Parameters
    ----------
    folder : str
        Absolute.
    ignore : sequence of str
        Patterns as in a shell (``*``, ``?``, ``[a-z]``) of names, or with a slash in them, perhaps at the start, of
        paths below the folder.
    report : callable
        Called with the error of each folder and file that cannot be looked at.

    Yields
    ------
    directory : str
    files : dict of str to FileState
        Pictures by name, told by suffix.
    """
    for directory, folders, _ in os.walk(folder, onerror=report):
        inside = os.path.relpath(directory, folder)
        kept = sorted(name for name in folders if not is_ignored(inside, name, (*IGNORED, *ignore)))
        folders[:] = kept
        yield directory, dict(_files(directory, inside, ignore, report))


def _files(
    directory: str, inside: str, ignore: Sequence[str], report: Callable[[OSError], object]
) -> Iterator[tuple[str, FileState]]:
    try:
        with os.scandir(directory) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:  # it went away since it was listed
        report(error)
        return
    for entry in found:
        if entry.name.lower().endswith(PICTURE_SUFFIXES) and not is_ignored(inside, entry.name, ignore):
            try:
                if entry.is_file():  # also a link to one
                    stat = entry.stat()
                    yield entry.name, FileState(stat.st_size, stat.st_mtime_ns)
            except OSError as error:
                report(error)


def is_ignored(inside: str, name: str, patterns: Sequence[str]) -> bool:
    """Tell whether a file or folder is left out, by its name and by where it is in what is walked through."""
    if name.startswith("."):
        return True
    place = name if inside == "." else f"{inside}/{name}".replace(os.sep, "/")
    return any(
        fnmatch.fnmatchcase(place if "/" in pattern else name, pattern.removeprefix("/")) for pattern in patterns
    )


def reaches(folder: str, ignore: Sequence[str], other: str) -> bool:
    """Tell whether a walk through a folder comes to another one, both absolute."""
    steps = [path for path in (Path(other), *Path(other).parents) if Path(folder) in path.parents]
    return (other == folder or bool(steps)) and not any(
        step.is_symlink() or is_ignored(os.path.relpath(step.parent, folder), step.name, (*IGNORED, *ignore))
        for step in steps
    )
