"""A cache of prepared weights on disk: what a tower made of a checkpoint's tensors, memory-mapped by later processes.

Converting half precision to float32 and folding the norms takes longer than all else that a short command does. So the
result is cached, one file per tower, which all processes share. The key is the checkpoint's identity, a hash of its
path, size and times, so that weights of a changed file are prepared again. The same folder caches the embeddings of
long word lists, by the model's fingerprint and the words.
"""

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from numpyclip.atomic import remove_abandoned, temporary_path
from numpyclip.errors import CheckpointError
from numpyclip.weights.safetensors import read_safetensors, unwritten, write_safetensors

# Part of every name: raise it whenever towers prepare their weights otherwise, and older files are ignored.
VERSION = 1

_LEAST_BYTES = 2**26  # what is smaller is prepared in less than a tenth of a second
_MOST_BYTES = 2**32  # all files together; the longest unused go first

# All other files are someone else's.
_NAME = re.compile(r"[0-9a-f]{32}-((visual|text|decoder|words)-v[0-9]+\.safetensors|digest-v[0-9]+\.txt)")


def prepared_folder() -> Path | None:
    """Return where prepared weights are: ``$NUMPYCLIP_CACHE``, else a folder of the user's; None if that is ``0``."""
    setting = os.environ.get("NUMPYCLIP_CACHE", "")
    if setting == "0":
        return None
    if setting:
        return Path(setting).expanduser().absolute()
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # no home directory
        return None
    return caches / "numpyclip" / "prepared"


def open_prepared(identity: str | None, tower: str) -> dict[str, NDArray[Any]] | None:
    """Map what `save_prepared` kept for a tower of a checkpoint; None if there is nothing."""
    folder = prepared_folder()
    if folder is None or identity is None:
        return None
    file = folder / _name(identity, tower)
    try:
        arrays = read_safetensors(file)
    except OSError:  # most often there is none
        return None
    except CheckpointError:  # cut short, say: it will be made again
        arrays = {}
    if not arrays:
        with contextlib.suppress(OSError):
            file.unlink()
        return None
    with contextlib.suppress(OSError):  # a folder that is only read
        os.utime(file)  # when it was used last
    return arrays


def save_prepared(
    identity: str | None, tower: str, arrays: Mapping[str, NDArray[Any]], least_bytes: int | None = None
) -> None:
    """Keep the arrays of a tower, if they are worth it; a disk that is full or read-only is no error."""
    size = sum(array.nbytes for array in arrays.values())
    folder = prepared_folder()
    least = _LEAST_BYTES if least_bytes is None else least_bytes
    if folder is None or identity is None or not least <= size <= _MOST_BYTES // 2:
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / _name(identity, tower)
        with temporary_path(file) as part:
            write_safetensors(part, [tensor for name, array in arrays.items() for tensor in unwritten(name, array)])
            part.replace(file)
        _remove_longest_unused(folder)


def prepared_files() -> list[Path]:
    """List all files of prepared weights, the longest unused first."""
    return [file for file, _ in _by_last_use(prepared_folder())]


def remove_prepared(file: Path) -> bool:
    """Remove a file of prepared weights; say whether that was possible, which on Windows it is not while it is used."""
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
        return True
    return False


def _name(identity: str, tower: str) -> str:
    return f"{identity}-{tower}-v{VERSION}.safetensors"


def _by_last_use(folder: Path | None) -> list[tuple[Path, os.stat_result]]:
    found = []
    with contextlib.suppress(OSError):
        for file in folder.iterdir() if folder else ():
            if _NAME.fullmatch(file.name):
                with contextlib.suppress(OSError):  # another process has removed it
                    found.append((file, file.stat()))
    return sorted(found, key=lambda pair: pair[1].st_mtime_ns)


def _remove_longest_unused(folder: Path) -> None:
    files = _by_last_use(folder)
    excess = sum(facts.st_size for _, facts in files) - _MOST_BYTES
    for file, facts in files:
        if excess > 0 and remove_prepared(file):
            excess -= facts.st_size
    remove_abandoned(folder)
