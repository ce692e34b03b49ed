"""A digest of the weights of a model, whatever file they are in.

Hashed are the tensors, by the names that a model has for them, as float32: a float16 file and its exact copy in
float32, a `.pt` and a `.safetensors` file of the same weights, have the same digest. Reading all of a large file takes
a second, so the digest is cached beside the prepared weights.
"""

import contextlib
import hashlib
import re
from pathlib import Path

import numpy as np

from numpyclip.atomic import atomic_file
from numpyclip.errors import NumPyCLIPError
from numpyclip.runtime.prepared import prepared_folder
from numpyclip.weights.checkpoint import Checkpoint

# Part of every name: raise it whenever digests are made otherwise.
VERSION = 1

_LEAST_BYTES = 2**26  # what is smaller is read in less than a tenth of a second


def digest(checkpoint: Checkpoint) -> str:
    """Return the SHA-256 of all tensors, in 64 hexadecimal digits."""
    file = _file(checkpoint)
    if file is not None:
        with contextlib.suppress(OSError, ValueError):  # most often there is none
            known = file.read_text("ascii")
            if re.fullmatch("[0-9a-f]{64}", known):
                return known
    found = _compute(checkpoint)
    if file is not None:
        with contextlib.suppress(OSError, NumPyCLIPError):  # a folder that is only read: it will be computed again
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(file) as stream:
                stream.write(found.encode())
    return found


def _compute(checkpoint: Checkpoint) -> str:
    sha256 = hashlib.sha256()
    for name in sorted(checkpoint.arrays):
        numbers = checkpoint.take(name)
        sha256.update(f"{name} {numbers.size}\n".encode())
        sha256.update(numbers.astype("<f4", copy=False).reshape(-1).view(np.uint8).data)
        checkpoint.release()
    return sha256.hexdigest()


def _file(checkpoint: Checkpoint) -> Path | None:
    """Return where it is cached: by the file, and by the tensors' names, which depend on the file's description."""
    folder = prepared_folder()
    size = sum(array.nbytes for array in checkpoint.arrays.values())
    if folder is None or checkpoint.identity is None or size < _LEAST_BYTES:
        return None
    key = hashlib.sha256("\n".join([checkpoint.identity, *sorted(checkpoint.arrays)]).encode()).hexdigest()[:32]
    return folder / f"{key}-digest-v{VERSION}.txt"
