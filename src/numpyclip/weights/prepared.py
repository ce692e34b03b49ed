"""Prepared weights on disk: what a tower made of a checkpoint's tensors, for the next process to map.

Making float32 of half precision and multiplying the norms in takes longer than all else a short command does. So the
result is kept, one file per tower: mapped, it is read where it is used, and shared by all processes. A file is found
by the checkpoint's place on the disk, size and times, so that a checkpoint that was changed is prepared anew.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError
from numpyclip.weights.safetensors import read_safetensors

# Part of every name: raise it whenever towers prepare their weights otherwise, and older files are ignored.
VERSION = 1

_LEAST_BYTES = 2**26  # what is smaller is prepared in less than a tenth of a second
_MOST_BYTES = 2**32  # all files together; the longest unused go first

_DTYPES = {"float32": "F32", "float16": "F16"}


def prepared_folder() -> Path | None:
    """Return where prepared weights lie: ``$NUMPYCLIP_CACHE``, else a folder of the user's; None if that is ``0``."""
    setting = os.environ.get("NUMPYCLIP_CACHE", "")
    if setting == "0":
        return None
    if setting:
        return Path(setting)
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # no home directory
        return None
    return caches / "numpyclip" / "prepared"


def open_prepared(checkpoint: Path, tower: str) -> dict[str, NDArray[Any]] | None:
    """Map what `save_prepared` kept for a tower of this very file; None if there is nothing."""
    file = _file(checkpoint, tower)
    if file is None or not file.is_file():
        return None
    try:
        arrays = read_safetensors(file)
        os.utime(file)  # when it was used last
    except (CheckpointError, OSError):  # cut short, say by a disk that was full: it will be made again
        with contextlib.suppress(OSError):
            file.unlink()
        return None
    return dict(arrays)


def save_prepared(checkpoint: Path, tower: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep the arrays of a tower, if they are worth it; a disk that is full or read-only is no error."""
    size = sum(array.nbytes for array in arrays.values())
    file = _file(checkpoint, tower)
    if file is None or not _LEAST_BYTES <= size <= _MOST_BYTES // 2:
        return
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(file, arrays)
        _remove_longest_unused(file.parent)


def prepared_files() -> list[Path]:
    """List all files of prepared weights, the longest unused first."""
    folder = prepared_folder()
    files = folder.glob("*.safetensors") if folder is not None and folder.is_dir() else ()
    return sorted(files, key=lambda file: file.stat().st_mtime_ns)


def _file(checkpoint: Path, tower: str) -> Path | None:
    folder = prepared_folder()
    try:
        facts = checkpoint.stat()
    except OSError:
        return None
    if folder is None:
        return None
    identity = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    return folder / f"{digest}-{tower}-v{VERSION}.safetensors"


def _write(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a `.safetensors` file that is whole or not there."""
    header, end = {}, 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": _DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [end, end + array.nbytes],
        }
        end += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)  # so that the numbers begin where a line of the cache does
    handle, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(len(text).to_bytes(8, "little") + text)
            for array in arrays.values():
                stream.write(np.ascontiguousarray(array).data)
        Path(part).replace(file)
    finally:
        Path(part).unlink(missing_ok=True)


def _remove_longest_unused(folder: Path) -> None:
    files = [(file, file.stat().st_size) for file in prepared_files()]
    excess = sum(size for _, size in files) - _MOST_BYTES
    for file, size in files:
        if excess <= 0:
            break
        file.unlink(missing_ok=True)
        excess -= size
