"""FOLDERS → FILES: which files are images. The one walker of all commands and of the index."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from numpyclip.arguments import OnError, as_paths, error_handler
from numpyclip.errors import InputError, PictureError
from numpyclip.extras import install_command
from numpyclip.images.raw_files import RAW_SUFFIXES
from numpyclip.regular_file import read_sha256

# Of the formats in `numpyclip.images.open`, those in which people keep images.
_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".avif", ".heic", ".heif", ".hif"),
    *(".jp2", ".j2k", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico"),
)

# What is hidden (among it .Trash-1000 and .@__thumb), and folders of other programs, which hold copies and previews of
# images, or nothing that a person has put there.
IGNORED = (
    *(".*", "@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "$Recycle.Bin", "#snapshot", "@Recently-Snapshot"),
    *("__MACOSX", "node_modules", "lost+found", "System Volume Information", "*.lrdata"),
)

SIDECAR_SUFFIX = ".xmp"  # of what is said of an image, in a file beside it
# What cameras write beside a RAW file, of the same stem but for what Pixel phones call them.
_BESIDE_RAW = (".jpg", ".jpeg", ".heic", ".heif", ".hif")
_PIXEL_NAMES = re.compile(r"\.raw-\d\d(?:\.mp)?\.(?:cover|original)$")

_NOT_REGULAR, _RAW_BESIDE = "not regular", "RAW beside a JPEG"
_MOST_KINDS = 8  # of files that are left out, in a message


@cache
def picture_suffixes() -> tuple[str, ...]:
    """List the suffixes of images, in lower case; those of JPEG XL and of RAW files if what reads them is there."""
    return (
        *_SUFFIXES,
        *(() if find_spec("pillow_jxl") is None else (".jxl",)),
        *(() if find_spec("rawpy") is None else RAW_SUFFIXES),
    )


def is_picture_name(name: str) -> bool:
    """Tell whether a name ends as those of images do."""
    return name.lower().endswith(picture_suffixes())


def is_ignored(path: str, ignore: Sequence[str] = IGNORED) -> bool:
    """Tell whether a file or folder is left out, by its path relative to the folder that is searched."""
    names, paths = _patterns(tuple(ignore))
    path = path.replace(os.sep, "/")
    return bool(names.match(path.rpartition("/")[2]) or paths.match(path))


@cache
def _patterns(ignore: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Compile patterns of names, and of paths."""
    names = [pattern for pattern in ignore if "/" not in pattern]
    paths = [pattern.removeprefix("/") for pattern in ignore if "/" in pattern]
    return _any_of(names), _any_of(paths)


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)) or r"(?!)")  # without patterns nothing matches


@dataclass(frozen=True)
class FileState:
    """Size and modification time of a file, by which a change is noticed."""

    size: int  # in bytes
    mtime_ns: int
    digest: bytes | None = field(default=None, compare=False)  # SHA-256 of its content, if an index knows the file

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> FileState:
        """Look at a file; PictureError if there is none."""
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        return cls(found.st_size, found.st_mtime_ns)

    @property
    def is_here(self) -> bool:
        """Whether there is a file: what an index knows by a URL, or in an archive or a table, is none here."""
        return self.size >= 0


NO_FILE = FileState(-1, 0)


def digest_of(path: str | os.PathLike[str]) -> bytes:
    """Compute the SHA-256 of a file, in flat memory; PictureError if it cannot be read."""
    try:
        return read_sha256(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | os.PathLike[str], error: Exception) -> PictureError:
    return PictureError(f"{os.fsdecode(path)}: cannot be read ({getattr(error, 'strerror', None) or error}).")


def find_pictures(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    ignore: str | Sequence[str] = (),
    *,
    on_error: OnError = "raise",
) -> FoundPictures:
    """Find image files, told by their suffixes, in folders and those within them.

    >>> for path in find_pictures("photos/"):  # doctest: +SKIP
    ...     print(path)

    Parameters
    ----------
    paths : str, path or iterable of them
        Folders to be searched, in a stable order; symbolic links to folders are not followed. Anything else is given
        back as it is: a file that is named outright is judged by its content when it is opened.
    ignore : str or sequence of str, optional
        What is left out besides what is hidden and folders that hold copies, such as ``#recycle`` and ``@eaDir``:
        patterns as in a shell (``*``, ``?``, ``[a-z]``) of names, or with a slash in them, perhaps at the start, of
        paths below the folder. RAW files beside a JPEG or HEIF of the same stem are left out, too.
    on_error : {"raise", "skip"} or callable, default="raise"
        What happens where a folder cannot be listed. A callable is given the error, and the search goes on.

    Returns
    -------
    FoundPictures
        An iterable of paths, str, as the folders were named.

    Raises
    ------
    InputError
        If an argument is of the wrong kind.
    PictureError
        While it is iterated over, if a folder cannot be listed.
    """
    return FoundPictures(as_paths(paths), (*IGNORED, *checked_patterns(ignore)), error_handler(on_error))


def checked_patterns(ignore: str | Iterable[str]) -> list[str]:
    """Return a list of patterns, of which a string is one; InputError if they are no strings."""
    patterns = [ignore] if isinstance(ignore, str) else list(ignore) if isinstance(ignore, Iterable) else [ignore]
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise InputError(f"ignore is {ignore!r:.60}; expected a pattern such as 'raw' or '*.tif', or a list of them.")
    return patterns


class FoundPictures:
    """Paths of images, which are found while they are iterated over.

    Attributes
    ----------
    left_out : Counter of str
        How many files the last iteration has passed over because they are no images, by suffix. Only regular files
        are images: a named pipe, socket or device is never opened, whatever its name.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        ignore: Sequence[str],
        report: Callable[[PictureError], object],
    ) -> None:
        self._paths = paths
        self._ignore = ignore
        self._report = report
        self.left_out: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._paths!r:.200})"

    def __iter__(self) -> Iterator[str]:
        """Search anew."""
        self.left_out.clear()
        for path in (os.fspath(path) for path in self._paths):
            if not os.path.isdir(path):
                yield path
                continue
            for directory, files in walk(path, self._ignore, self._unreadable, self.left_out):
                yield from (os.path.join(directory, name) for name in files)  # `./a` stays `./a`

    def _unreadable(self, error: OSError) -> None:
        self._report(PictureError(f"{error.filename}: cannot be read ({error.strerror or error})."))


def walk(
    folder: str,
    ignore: Sequence[str],
    report: Callable[[OSError], object],
    left_out: Counter[str],
    is_wanted: Callable[[str], bool] = is_picture_name,
    enters: Callable[[str], bool] = lambda _: True,
) -> Iterator[tuple[str, dict[str, FileState]]]:
    """Walk through a folder and those in it, in the order of their names: each with the images in it, by name.

    `report` is called with the error of each folder and file that cannot be looked at; `left_out` counts files whose
    name is not wanted. `enters` tells in its turn whether a folder is looked at.
    """
    start = len(os.path.join(folder, ""))  # where paths below the folder begin
    waiting = [folder]
    while waiting:
        directory = waiting.pop()
        if not enters(directory):
            continue
        try:
            with os.scandir(directory) as entries:
                found = sorted(
                    (e for e in entries if not is_ignored(e.path[start:], ignore)), key=lambda entry: entry.name
                )
        except OSError as error:
            report(error)
            continue
        files, folders = {}, []
        for entry in found:
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif (state := _state(entry, left_out, is_wanted)) is not None:
                    files[entry.name] = state
            except FileNotFoundError:  # it has gone since it was listed, or is a link to what has gone
                left_out[_NOT_REGULAR] += 1
            except OSError as error:
                report(error)
        for name in _raw_beside(files):
            del files[name]
            left_out[_RAW_BESIDE] += 1
        yield directory, files
        waiting += reversed(folders)


def raw_beside(path: str) -> str | None:
    """Return the RAW file beside a JPEG or HEIF, which stands for both; None if there is none that could be read."""
    folder, name = os.path.split(path)
    others = os.listdir(folder or os.curdir) if name.lower().endswith(_BESIDE_RAW) else []
    raw = (other for other in others if other.lower().endswith(RAW_SUFFIXES) and is_picture_name(other))
    return next((other for other in raw if stem(other) == stem(name)), None)


def _raw_beside(files: Mapping[str, FileState]) -> list[str]:
    """List the RAW files beside a JPEG or HEIF of the same image, which stands for both, unless it is empty."""
    raw = [name for name in files if name.lower().endswith(RAW_SUFFIXES)]
    shown = {stem(name) for name in files if raw and name.lower().endswith(_BESIDE_RAW) and files[name].size}
    return [name for name in raw if stem(name) in shown]


def stem(name: str) -> str:
    """Return what the names of files of one photograph have in common: of a RAW file and its JPEG, say."""
    return _PIXEL_NAMES.sub("", os.path.splitext(name)[0].lower())


def _state(entry: os.DirEntry[str], left_out: Counter[str], is_wanted: Callable[[str], bool]) -> FileState | None:
    """Look at a file; None if it is not wanted, or a link to a folder."""
    if not is_wanted(entry.name):
        if entry.is_file() and not entry.name.lower().endswith(SIDECAR_SUFFIX):
            left_out[os.path.splitext(entry.name)[1].lower() or "without suffix"] += 1
        return None
    found = entry.stat()
    if stat.S_ISREG(found.st_mode):
        return FileState(found.st_size, found.st_mtime_ns)
    if not stat.S_ISDIR(found.st_mode):
        left_out[_NOT_REGULAR] += 1
    return None


def class_folders(path: Path) -> tuple[list[Path], int]:
    """List the folders in a folder, each of a class and named as it, and count the images beside them.

    Raises
    ------
    InputError
        If it cannot be listed.
    """
    try:
        entries = sorted(entry for entry in path.iterdir() if not is_ignored(entry.name))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error
    folders = [entry for entry in entries if entry.is_dir()]
    return folders, sum(is_picture_name(entry.name) for entry in entries if not entry.is_dir())


def summary(left_out: Mapping[str, int]) -> str:
    """Describe how many files were left out, by suffix: ``12 files left out: 9 .psd, 3 .txt``."""
    total, common = sum(left_out.values()), Counter(left_out).most_common(_MOST_KINDS)
    kinds = [f"{count} {kind}" for kind, count in common]
    if others := total - sum(count for _, count in common):
        kinds.append(f"{others} others")
    said = f"{total} {'file' if total == 1 else 'files'} left out: {', '.join(kinds)}"
    return f"{said} (RAW: {install_command('raw')})" if left_out.keys() & set(RAW_SUFFIXES) else said
