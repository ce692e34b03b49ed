"""A cache of prepared weights on disk, which later processes memory-map.

Converting float16 to float32 and folding norms takes most of the time of a short command. So the result is cached, one
file per tower. The key is the checkpoint's identity, a hash of its path, size and times, so that a changed file is
prepared again. Each file has a checksum, verified whenever it is opened: a damaged file is made again, and so is that
of another user. The same folder caches the embeddings of long word lists, by the model's fingerprint and the words, and
what engines have compiled (see `numpyclip.engines.compiled`).
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
from numpyclip.regular_file import open_regular
from numpyclip.runtime.checksum import checksum
from numpyclip.weights.archive import map_opened
from numpyclip.weights.safetensors import Unwritten, parse_safetensors, unwritten, write_safetensors

VERSION = 2  # part of file names: raise it whenever towers prepare their weights differently

_LEAST_BYTES = 2**26  # smaller towers are prepared in less than a tenth of a second
_CHECKSUM = "numpyclip.checksum"  # in the metadata
CACHE_BYTES = 2**32  # of all files; the least recently used are removed first

_ROOT = 0  # who can change any file anyway

# No other files are touched.
_NAME = re.compile(
    r"[0-9a-f]{32}-((visual|text|decoder|words)-v[0-9]+\.safetensors|digest-v[0-9]+\.txt|compiled-v[0-9]+\.bin)"
)


def prepared_folder() -> Path | None:
    """Return the folder of the cache: ``$NUMPYCLIP_CACHE``, else one of the user's; None if that is ``0``."""
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
    """Memory-map what `save_prepared` cached for a tower of a checkpoint; None if there is nothing."""
    folder = prepared_folder()
    if folder is None or identity is None:
        return None
    file = folder / _name(identity, tower)
    try:
        arrays = _read(file, f"{identity} {tower}")
    except OSError:  # mostly there is none, or it is another user's
        return None
    except CheckpointError:  # truncated, say
        arrays = {}
    if not arrays:
        with contextlib.suppress(OSError):
            file.unlink()
        return None
    with contextlib.suppress(OSError):  # the folder may be read-only
        os.utime(file)  # the time of last use
    return arrays


def is_prepared(identity: str | None, tower: str) -> bool:
    """Tell whether `save_prepared` has cached a tower; `open_prepared` verifies it."""
    folder = prepared_folder()
    return folder is not None and identity is not None and (folder / _name(identity, tower)).exists()


def save_prepared(
    identity: str | None, tower: str, arrays: Mapping[str, NDArray[Any]], least_bytes: int | None = None
) -> None:
    """Cache the arrays of a tower, if they are large; a full or read-only disk is no error."""
    size = sum(array.nbytes for array in arrays.values())
    folder = prepared_folder()
    least = _LEAST_BYTES if least_bytes is None else least_bytes
    if folder is None or identity is None or not least <= size <= CACHE_BYTES // 2:
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / _name(identity, tower)
        if file.exists() and not is_trusted(file.stat()):
            return  # of a user who shares this folder, and would remove ours in turn
        with temporary_path(file) as part:
            tensors = _tensors(arrays)
            write_safetensors(part, tensors, {_CHECKSUM: checksum(tensors, f"{identity} {tower}")})
            part.replace(file)
        remove_least_recently_used(folder)


def prepared_files() -> list[Path]:
    """List all cached files, the least recently used first."""
    return [file for file, _ in _by_last_use(prepared_folder())]


def remove_prepared(file: Path) -> bool:
    """Remove a cached file; return whether that was possible, which on Windows it is not while the file is used."""
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
        return True
    return False


def is_trusted(status: os.stat_result) -> bool:
    """Tell whether a file is this user's or root's; elsewhere than on POSIX, nobody can tell."""
    return not hasattr(os, "geteuid") or status.st_uid in (os.geteuid(), _ROOT)


def _read(file: Path, about: str) -> dict[str, NDArray[Any]]:
    """Memory-map a cached file; OSError unless it is trusted, CheckpointError unless it is as it was written."""
    with open_regular(file) as stream:
        if not is_trusted(os.fstat(stream.fileno())):
            raise PermissionError(f"{file}: belongs to another user.")
        arrays, metadata, _ = parse_safetensors(map_opened(stream, file), file)
    if metadata.get(_CHECKSUM) != checksum(_tensors(arrays), about):
        raise CheckpointError(f"{file}: does not match its checksum.")
    return arrays


def _tensors(arrays: Mapping[str, NDArray[Any]]) -> list[Unwritten]:
    return [tensor for name, array in arrays.items() for tensor in unwritten(name, array)]


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


def remove_least_recently_used(folder: Path) -> None:
    """Keep the size of all cached files within its limit."""
    files = _by_last_use(folder)
    excess = sum(facts.st_size for _, facts in files) - CACHE_BYTES
    for file, facts in files:
        if excess > 0 and remove_prepared(file):
            excess -= facts.st_size
    remove_abandoned(folder)
