"""PyTorch's files without PyTorch: TorchScript archives, `torch.save` archives, and the format before 1.6.

All three pickle a tree of containers in which a tensor is a call, ``_rebuild_tensor_v2(storage, offset, size,
stride, ...)``, and a storage is a persistent id that points at raw bytes: a record of the zip archive, or a
stretch at the end of the older file. Here the call stands for a view of the mapped bytes, made after every
number in it has been checked.

Source: torch/serialization.py and torch/_utils.py of PyTorch 2.14 (the formats, not the code).
"""

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CorruptCheckpointError, UnsupportedCheckpointError
from numpyclip.weights.archive import Archive, Bytes, map_file
from numpyclip.weights.dtypes import BFLOAT16, array_from_bytes, item_size
from numpyclip.weights.unpickle import Bag, Symbol, unpickle

LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")  # PROTO 2, LONG1 0x1950a86a20f9469cfc6c
_LEGACY_PROTOCOL = 1001

_KINDS = {  # storage class → number format
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_TENSOR = Symbol("torch._utils", "_rebuild_tensor_v2")
_PARAMETER = Symbol("torch._utils", "_rebuild_parameter")
_ORDERED_DICT = Symbol("collections", "OrderedDict")
_SIZE = Symbol("torch", "Size")

_MAX_DIMENSIONS = 8


@dataclass(frozen=True)
class Storage:
    """A run of numbers; all counts are in elements."""

    kind: str
    key: str
    numel: int
    first: int  # the oldest files let a storage be a part of another
    length: int


@dataclass(frozen=True, eq=False)
class TensorRef:
    """A tensor that is described but not made yet; all counts are in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class TorchFile:
    """What a file of PyTorch holds: the pickled tree, and the bytes that its leaves point at.

    Attributes
    ----------
    root : object
        Dicts, lists and tuples, plain values, `Bag` for each module of a TorchScript archive, and
        `TensorRef` for each tensor.
    """

    def __init__(self, root: object, where: str, storages: Mapping[str, Bytes], order: str) -> None:
        self.root = root
        self._where = where
        self._storages = storages
        self._order = order

    def array(self, tensor: TensorRef) -> NDArray[np.generic]:
        """Make the array of a tensor: a read-only view of the mapped file (bfloat16: a float32 copy)."""
        storage = tensor.storage
        size = item_size(storage.kind)
        data = self._storages[storage.key]
        try:
            if storage.numel * size > data.size or storage.first + storage.length > storage.numel:
                raise ValueError(f"its storage claims {storage.numel} numbers in {data.size} bytes")
            data = data[storage.first * size : (storage.first + storage.length) * size]
            return array_from_bytes(
                data, storage.kind, tensor.shape, strides=tensor.strides, offset=tensor.offset, order=self._order
            )
        except ValueError as error:
            raise CorruptCheckpointError(
                f"{self._where}: a tensor of shape {tensor.shape} leaves its storage '{storage.key}': {error}."
            ) from error


def read_torch_archive(archive: Archive) -> TorchFile:
    """Read a TorchScript archive, or a file of `torch.save` since PyTorch 1.6."""
    pickles = [name for name in archive.names if name.split("/")[-1] == "data.pkl" and name.count("/") <= 1]
    if len(pickles) != 1:
        raise CorruptCheckpointError(f"{archive.path}: expected one record 'data.pkl', found {len(pickles)}.")
    folder = pickles[0].removesuffix("data.pkl")
    vocabulary = _TorchVocabulary(str(archive.path), scripted=f"{folder}constants.pkl" in archive)
    stream = BytesIO(archive.record(pickles[0]).data)
    root = unpickle(stream, vocabulary, f"{archive.path}, record '{pickles[0]}'")
    records = {key: archive.record(f"{folder}data/{key}") for key in vocabulary.storages}
    big = f"{folder}byteorder" in archive and archive.record(f"{folder}byteorder").tobytes() == b"big"
    return TorchFile(root, str(archive.path), records, ">" if big else "<")


def read_torch_legacy(path: Path) -> TorchFile:
    """Read a file of `torch.save` before PyTorch 1.6: five pickles in a row, then one storage after another."""
    where = str(path)
    vocabulary = _TorchVocabulary(where)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        _, protocol, system, root, keys = (unpickle(stream, vocabulary, where) for _ in range(5))
        position = stream.tell()
    if protocol != _LEGACY_PROTOCOL or not isinstance(system, dict):
        raise UnsupportedCheckpointError(
            f"{path}: written by torch.save in protocol {protocol!r:.40}; expected {_LEGACY_PROTOCOL}. "
            "Save it again with a current PyTorch."
        )
    order = "<" if system.get("little_endian", True) else ">"
    if not isinstance(keys, list) or {key for key in keys if isinstance(key, str)} < set(vocabulary.storages):
        raise CorruptCheckpointError(f"{path}: the list of storages lacks some that tensors use.")
    data = map_file(path)
    storages = {}
    for key in keys:
        storage = vocabulary.storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise CorruptCheckpointError(f"{path}: a storage is listed that no tensor uses.")
        count = int.from_bytes(data[position : position + 8].tobytes(), "little" if order == "<" else "big")
        begin, end = position + 8, position + 8 + storage.numel * item_size(storage.kind)
        if count != storage.numel or end > data.size:
            raise CorruptCheckpointError(
                f"{path}: storage '{key}' should hold {storage.numel} numbers; the file says {count} and ends "
                f"{max(end - data.size, 0)} bytes too early. It may have been cut short: download it again."
            )
        storages[key] = data[begin:end]
        position = end
    return TorchFile(root, where, storages, order)


class _TorchVocabulary:
    """Tensors, storages and ordered dicts; in a TorchScript archive also its own classes, as bags."""

    def __init__(self, where: str, *, scripted: bool = False) -> None:
        self.storages: dict[str, Storage] = {}
        self._where = where
        self._scripted = scripted

    def allows(self, symbol: Symbol) -> bool:
        return (
            symbol in (_TENSOR, _PARAMETER, _ORDERED_DICT, _SIZE)
            or (symbol.module == "torch" and symbol.name in _KINDS)
            or (self._scripted and _is_scripted_class(symbol))
        )

    def make(self, symbol: Symbol, arguments: tuple[Any, ...]) -> object:
        if symbol == _TENSOR and len(arguments) >= 4:
            return self._tensor(*arguments[:4])
        if symbol == _PARAMETER and arguments and isinstance(arguments[0], TensorRef):
            return arguments[0]
        if symbol == _ORDERED_DICT and len(arguments) <= 1:
            return self._ordered_dict(*arguments)
        if symbol == _SIZE and len(arguments) == 1:
            return arguments[0]
        if _is_scripted_class(symbol) and not arguments:
            return Bag(f"{symbol.module}.{symbol.name}")
        raise CorruptCheckpointError(f"{self._where}: {symbol} is called with arguments that it does not take.")

    def persistent(self, key: object) -> Storage:
        match key:
            case ("storage", Symbol("torch", kind), str(name), str(), numel, *view) if kind in _KINDS:
                first, length = _part(view, numel)
                if _is_count(numel) and _is_count(first) and _is_count(length):
                    storage = Storage(_KINDS[kind], name, numel, first, length)
                    known = self.storages.setdefault(name, storage)
                    if (known.kind, known.numel) == (storage.kind, storage.numel):
                        return storage
        raise CorruptCheckpointError(f"{self._where}: a persistent id names no storage of numbers.")

    def _ordered_dict(self, pairs: object = ()) -> dict[object, object]:
        if isinstance(pairs, list | tuple) and all(
            isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str | int) for pair in pairs
        ):
            return {key: value for key, value in pairs}
        raise CorruptCheckpointError(f"{self._where}: an OrderedDict is not made of pairs.")

    def _tensor(self, storage: object, offset: object, shape: object, strides: object) -> TensorRef:
        if not isinstance(storage, Storage):
            raise CorruptCheckpointError(f"{self._where}: a tensor has no storage.")
        if not (_is_count(offset) and _are_counts(shape) and _are_counts(strides)):
            raise CorruptCheckpointError(f"{self._where}: a tensor's offset, size or stride is not a count.")
        if len(shape) != len(strides) or len(shape) > _MAX_DIMENSIONS:
            raise CorruptCheckpointError(
                f"{self._where}: a tensor has {len(shape)} sizes and {len(strides)} strides; "
                f"expected as many of each, {_MAX_DIMENSIONS} at most."
            )
        return TensorRef(storage, offset, shape, strides)


def _is_scripted_class(symbol: Symbol) -> bool:
    return symbol.module.split(".")[0] == "__torch__"


def _part(view: list[Any], numel: Any) -> tuple[Any, Any]:
    """First element and length of what a storage's last item names: all of it, or ``(key, offset, size)``."""
    if view in ([], [None]):
        return 0, numel
    if len(view) == 1 and isinstance(view[0], tuple) and len(view[0]) == 3:
        return view[0][1], view[0][2]
    return None, None


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**48


def _are_counts(values: object) -> TypeGuard[tuple[int, ...]]:
    return isinstance(values, tuple) and all(_is_count(value) for value in values)
