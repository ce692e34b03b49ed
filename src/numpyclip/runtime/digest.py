"""A digest of the weights of a model, independent of the file format.

It hashes tensors as float32, with the model's names: a `.pt` and a `.safetensors` file of the same weights, or a
float16 file and its copy in float32, have equal digests. Reading a large file takes a second, so the digest is cached
beside the prepared weights.
"""

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np

from numpyclip.atomic import atomic_file
from numpyclip.errors import NumPyCLIPError
from numpyclip.regular_file import open_regular
from numpyclip.runtime.prepared import is_trusted, prepared_folder
from numpyclip.weights.checkpoint import Checkpoint

VERSION = 1  # part of file names: raise it whenever digests change

_LEAST_BYTES = 2**26  # smaller files are read in less than a tenth of a second


def digest(checkpoint: Checkpoint) -> str:
    """Return the SHA-256 of all tensors, in 64 hexadecimal digits."""
    file = _file(checkpoint)
    if file is not None:
        with contextlib.suppress(OSError, ValueError), open_regular(file) as stream:  # mostly there is none
            known = stream.read(64).decode("ascii")
            if is_trusted(os.fstat(stream.fileno())) and stream.read(65).decode("ascii") == _seal(file, known):
                return known
    found = _compute(checkpoint)
    if file is not None:
        with contextlib.suppress(OSError, NumPyCLIPError):  # the folder may be read-only
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(file) as target:
                target.write(f"{found}{_seal(file, found)}".encode())
    return found


def _seal(file: Path, found: str) -> str:
    """Return what stands behind a cached digest, so that a damaged one is no other one."""
    return hashlib.sha256(f"{file.name} {found}".encode()).hexdigest()


def _compute(checkpoint: Checkpoint) -> str:
    sha256 = hashlib.sha256()
    for name in sorted(checkpoint.arrays):
        numbers = checkpoint.take(name)
        sha256.update(f"{name} {numbers.size}\n".encode())
        sha256.update(numbers.astype("<f4", copy=False).reshape(-1).view(np.uint8).data)
        checkpoint.release()
    return sha256.hexdigest()


def _file(checkpoint: Checkpoint) -> Path | None:
    """Return where it is cached: by the file, and by the tensors' names, which depend on the config file."""
    folder = prepared_folder()
    size = sum(array.nbytes for array in checkpoint.arrays.values())
    if folder is None or checkpoint.identity is None or size < _LEAST_BYTES:
        return None
    key = hashlib.sha256("\n".join([checkpoint.identity, *sorted(checkpoint.arrays)]).encode()).hexdigest()[:32]
    return folder / f"{key}-digest-v{VERSION}.txt"
