"""Weights on the disk: which folder, which file, and whether it is the published one."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from numpyclip import regular_file
from numpyclip.errors import DownloadError
from numpyclip.regular_file import open_regular

Folder = str | os.PathLike[str]

FOLDER_SETTINGS = "with download_root, $CLIP_DIR or, for models of the hub, $HF_HOME"  # for messages


def weights_folder(download_root: Folder | None = None) -> Path:
    """Return the folder of weights: `download_root`, else ``$CLIP_DIR``, else ``~/.cache/clip`` as in openai/CLIP."""
    folder = Path(download_root or os.environ.get("CLIP_DIR") or "~/.cache/clip")
    try:
        return folder.expanduser()
    except RuntimeError as error:
        raise DownloadError(f"{folder}: no home directory is known for '~'. Set $CLIP_DIR.") from error


def exists(path: Folder) -> bool:
    """Tell whether there is such a file or folder, also for names that no file can have."""
    try:
        return bool(os.fspath(path)) and Path(path).exists()
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def readable(file: Path) -> Iterator[None]:
    """Raise a DownloadError that says what to do where a file cannot be read."""
    try:
        yield
    except OSError as error:
        raise DownloadError(
            f"{file}: cannot be read ({error.strerror or error}). Check its permissions, "
            "move it away, or choose another folder with download_root or $CLIP_DIR."
        ) from error


def stat_regular_file(file: Path) -> os.stat_result | None:
    """Return the status of a regular file, None if it does not exist."""
    with readable(file), contextlib.suppress(FileNotFoundError, NotADirectoryError), open_regular(file) as stream:
        return os.fstat(stream.fileno())
    return None


def _stamp(file: Path) -> Path:
    return file.with_name(f"{file.name}.verified")


def _stamp_text(status: os.stat_result, sha256: str) -> str:
    return f"sha256 {sha256}\nsize {status.st_size}\nmtime_ns {status.st_mtime_ns}\n"


def write_stamp(file: Path, status: os.stat_result, sha256: str) -> None:
    """Note that a file was verified, so that later loads need not read all of it."""
    with contextlib.suppress(OSError):  # a read-only folder: the next load reads the file again
        _stamp(file).write_bytes(_stamp_text(status, sha256).encode())


def read_sha256(file: Path) -> str:
    """Return the SHA-256 of a file, after reading all of it."""
    with readable(file):
        return regular_file.read_sha256(file).hex()


def sha256_of(file: Path, expected: str) -> str | None:
    """Return the SHA-256 of a file, by its stamp if the file has not changed since; None if it does not exist."""
    status = stat_regular_file(file)
    if status is None:
        return None
    if _has_stamp(file, status, expected):
        return expected
    found = read_sha256(file)
    if found == expected:
        write_stamp(file, status, found)
    return found


def _has_stamp(file: Path, status: os.stat_result, sha256: str) -> bool:
    stamp = _stamp_text(status, sha256).encode()
    with contextlib.suppress(OSError), open_regular(_stamp(file)) as stream:
        return stream.read(len(stamp) + 1) == stamp
    return False


def is_stamped(file: Path, sha256: str) -> bool:
    """Tell by its stamp whether a file was verified, and has not changed since, without reading it."""
    status = stat_regular_file(file)
    return status is not None and _has_stamp(file, status, sha256)


def verify(file: Path, sha256: str) -> Literal["verified", "damaged", "missing"]:
    """Compare a whole file with its published SHA-256; nothing is downloaded or removed."""
    status = stat_regular_file(file)
    if status is None:
        return "missing"
    if read_sha256(file) == sha256:
        write_stamp(file, status, sha256)
        return "verified"
    with contextlib.suppress(OSError):
        _stamp(file).unlink()
    return "damaged"


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it; DownloadError if it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"{folder}: cannot be made a folder ({error.strerror or error}). Choose another {FOLDER_SETTINGS}."
        ) from error
