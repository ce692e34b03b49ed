"""Digests of the weights of a model, independent of the file format.

The exact one hashes tensors as float32, with the model's names: a `.pt` and a `.safetensors` file of the same weights,
or a float16 file and its copy in float32, have equal digests. The rounded one hashes them in one canonical form, that
of openai/CLIP, each number rounded to float16: copies of a model that other libraries have written in their own layout
and dtype have equal ones. Reading a large file takes seconds, so both are cached beside the prepared weights.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numpyclip.atomic import atomic_file
from numpyclip.errors import NumPyCLIPError
from numpyclip.regular_file import open_regular
from numpyclip.runtime.prepared import is_trusted, prepared_folder
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.dtypes import narrow_to_float16
from numpyclip.weights.int8 import ScaledInt8

VERSION = 2  # part of file names: raise it whenever digests change

_LEAST_BYTES = 2**26  # smaller files are read in less than a tenth of a second
_NO_DIGEST = "-"  # in the file, so that it has three words
_MOST_READ = 3 * 64 + 3

_PROJECTIONS = ("text_projection", "visual.proj")  # a matrix (d, e) in openai/CLIP, a layer (e, d) elsewhere
_IN_PROJ = re.compile(r"(?P<attention>.+)\.(?P<part>q|k|v|kv)_proj\.(?P<kind>weight|bias)")
_ORDER = ("q", "k", "kv", "v")
_PIECE = 2**18  # numbers that are rounded at once


class Digests(NamedTuple):
    """Two digests of 64 hexadecimal digits."""

    exact: str  # SHA-256 of all tensors in float32
    float16: str  # SHA-256 of the canonical form in float16; empty if float16 cannot hold a number, or weights are int8


def digests(checkpoint: Checkpoint) -> Digests:
    """Return the digests of all tensors, cached on disk for large files."""
    file = _file(checkpoint)
    if file is not None and (known := _read(file)):
        return known
    found = _compute(checkpoint)
    if file is not None:
        with contextlib.suppress(OSError, NumPyCLIPError):  # the folder may be read-only
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(file) as target:
                target.write(f"{found.exact} {found.float16 or _NO_DIGEST} {_seal(file, found)}".encode())
    return found


def _read(file: Path) -> Digests | None:
    with contextlib.suppress(OSError, ValueError), open_regular(file) as stream:  # mostly there is none
        exact, rounded, seal = stream.read(_MOST_READ).decode("ascii").split(" ")
        known = Digests(exact, "" if rounded == _NO_DIGEST else rounded)
        if is_trusted(os.fstat(stream.fileno())) and seal == _seal(file, known):
            return known
    return None


def _seal(file: Path, found: Digests) -> str:
    """Return what stands behind cached digests, so that damaged ones are no others."""
    return hashlib.sha256(f"{file.name} {found.exact} {found.float16}".encode()).hexdigest()


def _compute(checkpoint: Checkpoint) -> Digests:
    with ThreadPoolExecutor(1) as thread:
        rounded = thread.submit(_rounded, checkpoint)
        return Digests(_exact(checkpoint), rounded.result())


def _exact(checkpoint: Checkpoint) -> str:
    sha256 = hashlib.sha256()
    for name in sorted(checkpoint.arrays):
        numbers = checkpoint.take(name)
        sha256.update(f"{name} {numbers.size}\n".encode())
        sha256.update(numbers.astype("<f4", copy=False).reshape(-1).view(np.uint8).data)
        checkpoint.release()
    return sha256.hexdigest()


def _rounded(checkpoint: Checkpoint) -> str:
    """Hash the canonical form; an infinity would hide differences, so a number beyond float16 has no digest."""
    if any(isinstance(array, ScaledInt8) for array in checkpoint.arrays.values()):
        return ""
    sha256 = hashlib.sha256()
    for name, parts in sorted(_canonical(checkpoint.arrays).items()):
        sha256.update(f"{name} {sum(checkpoint.arrays[part].size for part in parts)}\n".encode())
        for part in parts:
            try:
                for halves in _halves(checkpoint, part, transposed=name in _PROJECTIONS and part != name):
                    sha256.update(halves.view(np.uint8).data)
            except OverflowError:
                return ""
        checkpoint.release()
    return sha256.hexdigest()


def _canonical(names: Iterable[str]) -> dict[str, list[str]]:
    """Return names of openai/CLIP, each with the tensors whose rows it has: queries, keys and values are joined."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        canonical, part = name, ""
        if match := _IN_PROJ.fullmatch(name):
            canonical, part = f"{match['attention']}.in_proj_{match['kind']}", match["part"]
        elif name.removesuffix(".weight") in _PROJECTIONS:
            canonical = name.removesuffix(".weight")
        found.setdefault(canonical, {})[part] = name
    return {name: [parts[part] for part in ("", *_ORDER) if part in parts] for name, parts in found.items()}


def _halves(checkpoint: Checkpoint, name: str, *, transposed: bool) -> Iterator[NDArray[np.float16]]:
    table = checkpoint.table(name)  # the file's numbers, unless adapters are added to them
    numbers = table if table.dtype == np.float16 else checkpoint.take(name)
    flat = np.ascontiguousarray(numbers.T if transposed else numbers).reshape(-1)
    for start in range(0, flat.size, _PIECE):
        piece = flat[start : start + _PIECE]
        yield piece.astype("<f2", copy=False) if piece.dtype == np.float16 else narrow_to_float16(piece)


def _file(checkpoint: Checkpoint) -> Path | None:
    """Return where they are cached: by the file, and by the tensors' names, which depend on the config file."""
    folder = prepared_folder()
    size = sum(array.nbytes for array in checkpoint.arrays.values())
    if folder is None or checkpoint.identity is None or size < _LEAST_BYTES:
        return None
    key = hashlib.sha256("\n".join([checkpoint.identity, *sorted(checkpoint.arrays)]).encode()).hexdigest()[:32]
    return folder / f"{key}-digest-v{VERSION}.txt"
