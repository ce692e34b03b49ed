"""Any file of weights, or the index of several, becomes a `Checkpoint`, memory-mapped where the file allows."""

import math
import os
import reprlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import (
    CheckpointError,
    CorruptCheckpointError,
    UnsafeCheckpointError,
    UnsupportedCheckpointError,
    quoted,
)
from numpyclip.regular_file import open_regular
from numpyclip.weights.activations import ACTIVATIONS
from numpyclip.weights.archive import Archive, mapped_file
from numpyclip.weights.budget import inflated_limit
from numpyclip.weights.checkpoint import PLAIN, Checkpoint, identity_of, identity_of_file
from numpyclip.weights.dtypes import Unread
from numpyclip.weights.groups import choose, grouped
from numpyclip.weights.json_file import read_json_object
from numpyclip.weights.npz import read_npz_weights
from numpyclip.weights.safetensors import read_safetensors
from numpyclip.weights.state_dict import StateDict, state_dicts
from numpyclip.weights.torch_file import TensorRef, TorchFile, is_torch_legacy, read_torch_archive, read_torch_legacy

# Tied and expanded weights repeat bytes, so tensors may have more numbers than their file has bytes.
_EXPANDED = 2**23  # numbers more
_MAX_EXPANSION = 16  # times more, for tiny files

INDEX_SUFFIX = ".index.json"  # of a JSON file that says which tensor is in which of several files
_MAX_INDEX = 2**22  # bytes; the largest published one has some kilobytes
_MAX_FILE_NAME = 255  # characters, of the file of a tensor

# Where a `.safetensors` file that NumPyCLIP wrote says what its shapes cannot.
ACTIVATION_KEY = "numpyclip.activation"

# What people have instead of a checkpoint, by its first bytes.
_MISTAKEN = {
    b"<": "a web page, probably an error page. Download the file again",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself. Run `git lfs pull`",
    b"GGUF": "a GGUF file, which is not read here. Get the .safetensors or .pt file",
    b"\x1f\x8b": "gzipped. Unpack it first",
    b"\x80": "a pickle that torch.save did not write. Save the model's state_dict() with torch.save",
    b"\x89HDF": "an HDF5 file, which is not read here. Get the .safetensors or .pt file",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"%PDF": "a PDF document",
    b"{": "JSON. Pass the file of the weights, or the folder of the model",
    b"7z\xbc\xaf": "packed. Unpack it first",
    b"\x28\xb5\x2f\xfd": "packed. Unpack it first",
    b"BZh": "packed. Unpack it first",
    b"\xfd7zXZ": "packed. Unpack it first",
    b"\x93NUMPY": "a single array. Save the named arrays of a model with numpy.savez",
}


def read(path: Path) -> Checkpoint:
    """Read a file of weights, whatever its name, by its first bytes; or, by its name, the index of several.

    Parameters
    ----------
    path : Path
        A TorchScript archive, a file of ``torch.save`` in either format, ``.safetensors`` or ``.npz``; or an index,
        such as ``model.safetensors.index.json``, whose files are read as if they were one.

    Returns
    -------
    Checkpoint
        Its arrays keep the file memory-mapped; it must not change while they are in use.

    Raises
    ------
    CheckpointError
        If it is none of these, is damaged, or asks for more than tensors and plain containers; or if the files do not
        hold exactly the tensors that the index lists, each once, or are not all in its own folder.
    """
    file = (_read_shards if path.name.endswith(INDEX_SUFFIX) else _read_file)(path)
    group, note = choose([group for found in file.found for group in grouped(found.tensors, found.place)], str(path))
    source = next(found for found in file.found if found.place == group.place)
    unread = {name: tensor.what for name, tensor in group.tensors.items() if isinstance(tensor, Unread)}
    tensors = {name: tensor for name, tensor in group.tensors.items() if name not in unread}
    for name in () if tensors else unread:
        raise UnsupportedCheckpointError(f"{path}: tensor {quoted(name)} is {unread[name]}; expected {PLAIN}.")
    _check_sizes(path, tensors.values(), file.torch)
    arrays = {name: file.array(tensor) for name, tensor in tensors.items()}
    return Checkpoint(
        path.absolute(),
        arrays,
        source.activation,
        file.identity,
        stored=arrays,
        unread=unread,
        label=group.label,
        choice=note or "",
        left_out=group.beside,
        warnings=(f"{path}: {note}",) if note else (),
        archives=file.archives,
    )


class _File(NamedTuple):
    found: Sequence[StateDict]
    identity: str | None = None
    torch: TorchFile | None = None
    archives: tuple[Archive, ...] = ()

    def array(self, tensor: Any) -> NDArray[np.generic]:
        """Make the array of a tensor."""
        array: NDArray[np.generic] = self.torch.array(tensor) if self.torch else tensor
        return array


def _read_shards(index: Path) -> _File:
    weight_map = _read_weight_map(index)
    arrays: dict[str, Any] = {}  # or `Unread`
    identities: list[str | None] = []
    archives: list[Archive] = []
    unpacked = size = 0
    for file in sorted(set(weight_map.values())):
        path = index.parent / file
        shard = _read_file(path)
        identities.append(shard.identity)
        archives.extend(shard.archives)
        size += path.stat().st_size
        for name, tensor in shard.found[0].tensors.items():
            if weight_map.get(name) != file:
                raise CorruptCheckpointError(
                    f"{path}: holds tensor {name!r:.200}, which {index.name} lists "
                    f"{f'in {weight_map[name]!r:.100}' if name in weight_map else 'nowhere'}. Download both again."
                )
            if isinstance(tensor, Unread):
                arrays[name] = tensor
                continue
            arrays[name] = array = shard.array(tensor)
            unpacked += 0 if mapped_file(array) else array.nbytes
        if unpacked > inflated_limit(size):  # many small files, each within its own
            raise CorruptCheckpointError(f"{index}: the {size} bytes of its files unpack to {unpacked} or more.")
    if missing := [name for name in weight_map if name not in arrays]:
        raise CorruptCheckpointError(
            f"{index}: lists tensor {missing[0]!r:.200} in {weight_map[missing[0]]!r:.100}, which does not hold it "
            f"({len(missing)} are missing). Download both again."
        )
    return _File([StateDict("", arrays)], identity_of(*identities), archives=tuple(archives))


def _read_weight_map(index: Path) -> dict[str, str]:
    weight_map = read_json_object(index, _MAX_INDEX, "the index of several files of weights").get("weight_map")
    if not isinstance(weight_map, dict):
        raise CheckpointError(
            f"{index}: weight_map is {reprlib.repr(weight_map):.60}; expected the file of each tensor."
        )
    for name, file in weight_map.items():
        if not isinstance(file, str):
            raise CheckpointError(
                f"{index}: weight_map.{quoted(name, 100)} is {reprlib.repr(file):.60}; expected the name of a file."
            )
        is_name = {PurePosixPath(file).name, PureWindowsPath(file).name} == {file}  # on either kind of system
        if not (is_name and file.isprintable()) or file in ("", "..") or len(file) > _MAX_FILE_NAME:
            raise UnsafeCheckpointError(
                f"{index}: refused, tensor {quoted(name, 100)} is said to be in {quoted(file, 100)}; "
                "expected a file in the same folder."
            )
    return weight_map


def _read_file(path: Path) -> _File:
    try:
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
            head = file.read(32)
        found = _read_by_magic(path, head)
        identity = identity_of_file(status)
        if identity_of_file(path.stat()) != identity:  # replaced meanwhile: which of the two was memory-mapped?
            identity = None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error}).") from error
    return found._replace(identity=identity)


def _read_by_magic(path: Path, head: bytes) -> _File:
    if head.startswith(b"PK"):
        archive = Archive(path)
        if any(name.endswith(".npy") for name in archive.names):
            return _File([StateDict("", read_npz_weights(archive))], archives=(archive,))
        return _from_torch(path, read_torch_archive(archive))
    if is_torch_legacy(head):
        return _from_torch(path, read_torch_legacy(path))
    if head[8:9] == b"{":
        return _from_safetensors(path)
    if not head:
        raise CorruptCheckpointError(f"{path}: the file is empty. Download or copy it again.")
    found = next((what for magic, what in _MISTAKEN.items() if head.lstrip().startswith(magic)), None)
    if path.suffix == ".onnx":
        found = "an ONNX file, which is not read here. Get the .safetensors or .pt file"
    if path.suffix == ".safetensors" and not found and int.from_bytes(head[:8], "little") < 2**32:  # as a text is not
        return _from_safetensors(path)  # which says what is wrong with it
    raise UnsupportedCheckpointError(
        f"{path}: {found or f'begins with {head[:8]!r}'}; "
        "expected a TorchScript archive, a file of torch.save, .safetensors or .npz."
    )


def _from_safetensors(path: Path) -> _File:
    arrays, metadata = read_safetensors(path)
    activation = metadata.get(ACTIVATION_KEY)
    if activation is not None and activation not in ACTIVATIONS:
        raise UnsupportedCheckpointError(
            f"{path}: records the activation {activation!r:.60}; expected {' or '.join(ACTIVATIONS)}."
        )
    return _File([StateDict("", arrays, activation)])


def _from_torch(path: Path, file: TorchFile) -> _File:
    archives = (file.archive,) if file.archive else ()
    return _File(state_dicts(file.root, str(path)), torch=file, archives=archives)


def _check_sizes(path: Path, tensors: Iterable[TensorRef], file: TorchFile | None) -> None:
    """Refuse tensors that the file cannot hold."""
    numbers = sum(math.prod(tensor.shape) for tensor in tensors)
    if file and numbers > min(_MAX_EXPANSION * file.size, file.size + _EXPANDED):
        raise CorruptCheckpointError(
            f"{path}: its tensors would have {numbers} numbers, far more than its {file.size} bytes hold."
        )
