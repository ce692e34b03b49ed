"""Any file of weights becomes a `Checkpoint`, names and arrays, memory-mapped where the file allows."""

import math
import os
import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError, CorruptCheckpointError, UnsupportedCheckpointError
from numpyclip.weights.archive import Archive
from numpyclip.weights.checkpoint import ACTIVATIONS, Activation, Checkpoint, identity_of
from numpyclip.weights.npz import read_npz
from numpyclip.weights.safetensors import read_safetensors_and_metadata
from numpyclip.weights.state_dict import state_dict, without_prefix
from numpyclip.weights.torch_file import TorchFile, is_torch_legacy, read_torch_archive, read_torch_legacy

# Tied and expanded weights repeat bytes, so tensors may outgrow their file; but not by more than this.
_MAX_EXPANSION = 16

# Where a `.safetensors` file that NumPyCLIP wrote says what its shapes cannot.
ACTIVATION_KEY = "numpyclip.activation"

# What people have instead of a checkpoint, by its first bytes.
_MISTAKEN = {
    b"<": "a web page, probably an error page. Download the file again",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself. Run `git lfs pull`",
    b"GGUF": "a GGUF file, which is not read here. Get the .safetensors or .pt file",
    b"\x1f\x8b": "gzipped. Unpack it first",
    b"\x80": "a pickle that torch.save did not write. Save the model's state_dict() with torch.save",
    b"\x93NUMPY": "a single array. Save the named arrays of a model with numpy.savez",
}


def read(path: Path) -> Checkpoint:
    """Read a file of weights, whatever its name, by its first bytes.

    Parameters
    ----------
    path : Path
        A TorchScript archive, a file of ``torch.save`` in either format, ``.safetensors`` or ``.npz``.

    Returns
    -------
    Checkpoint
        Its arrays keep the file memory-mapped; it must not change while they are in use.

    Raises
    ------
    CheckpointError
        If it is none of these, is damaged, or asks for more than tensors and plain containers.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # a pipe would be waited for
            raise CheckpointError(f"{path}: not a file. Pass a file of weights.")
        with path.open("rb") as file:
            head = file.read(32)
        found, recorded = _read_by_magic(path, head)
        identity = _identity(facts)
        if _identity(path.stat()) != identity:  # replaced meanwhile: which of the two was mapped?
            identity = None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error}).") from error
    arrays = without_prefix(found)
    return Checkpoint(path.absolute(), arrays, recorded, identity, stored=arrays)


def _identity(facts: os.stat_result) -> str | None:
    return identity_of(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


_Contents = tuple[dict[str, NDArray[np.generic]], Activation | None]


def _read_by_magic(path: Path, head: bytes) -> _Contents:
    if head.startswith(b"PK"):
        archive = Archive(path)
        if any(name.endswith(".npy") for name in archive.names):
            return read_npz(archive), None
        return _from_torch(path, read_torch_archive(archive))
    if is_torch_legacy(head):
        return _from_torch(path, read_torch_legacy(path))
    if head[8:9] == b"{":
        return _from_safetensors(path)
    if not head:
        raise CorruptCheckpointError(f"{path}: the file is empty. Download or copy it again.")
    found = next((what for magic, what in _MISTAKEN.items() if head.lstrip().startswith(magic)), None)
    if path.suffix == ".safetensors" and not found:
        return _from_safetensors(path)  # which says what is wrong with it
    raise UnsupportedCheckpointError(
        f"{path}: {found or f'begins with {head[:8]!r}'}; "
        "expected a TorchScript archive, a file of torch.save, .safetensors or .npz."
    )


def _from_safetensors(path: Path) -> _Contents:
    arrays, metadata = read_safetensors_and_metadata(path)
    activation = metadata.get(ACTIVATION_KEY)
    if activation is not None and activation not in ACTIVATIONS:
        raise UnsupportedCheckpointError(
            f"{path}: records the activation {activation!r:.60}; expected {' or '.join(ACTIVATIONS)}."
        )
    return arrays, activation


def _from_torch(path: Path, file: TorchFile) -> _Contents:
    tensors, activation = state_dict(file.root, str(path))
    numbers = sum(math.prod(tensor.shape) for tensor in tensors.values())
    if numbers > _MAX_EXPANSION * path.stat().st_size:
        raise CorruptCheckpointError(
            f"{path}: its tensors would have {numbers} numbers, far more than its {path.stat().st_size} bytes hold."
        )
    return {name: file.array(tensor) for name, tensor in tensors.items()}, activation
