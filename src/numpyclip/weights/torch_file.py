"""PyTorch's files without PyTorch: TorchScript archives, `torch.save` archives, and the format before 1.6.

All three pickle a tree of containers in which a tensor is a call, ``_rebuild_tensor_v2(storage, offset, size, stride,
...)``, and a storage is a persistent id that points at raw bytes: a record of the zip archive, or a range at the end of
the older file. Here the call becomes a view of the memory-mapped bytes, made after every number in it has been checked.

Source: torch/serialization.py and torch/_utils.py of PyTorch 2.14 (the formats, not the code).
"""

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CorruptCheckpointError, UnsupportedCheckpointError, quoted
from numpyclip.weights.archive import Archive, Bytes, map_file, mapped_file
from numpyclip.weights.budget import Budget
from numpyclip.weights.dtypes import BFLOAT16, MAX_DIMENSIONS, are_counts, array_from_bytes, is_count, item_size
from numpyclip.weights.standard_library import may_be_named
from numpyclip.weights.unpickle import Opaque, ScriptObject, Symbol, unpickle

_LEGACY_MAGIC = bytes.fromhex("8a0a6cfc9c46f9206aa85019")  # LONG1 0x1950a86a20f9469cfc6c
_LEGACY_PROTOCOL = 1001
_MAX_PICKLE = 2**23  # bytes
_ORDERS = {b"little": "<", b"big": ">"}
_MAX_ORDER = 99  # bytes of that record which are looked at
_MAX_PACKED = 2**21  # bytes more than the file, for a pickle that is deflated

_KINDS = {  # storage class → dtype
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
    "ComplexFloatStorage": "c8",
    "ComplexDoubleStorage": "c16",
    # bytes, of tensors that are opaque
    "UntypedStorage": "u1",
    "QInt8Storage": "u1",
    "QUInt8Storage": "u1",
    "QInt32Storage": "i4",
}
_TENSOR = Symbol("torch._utils", "_rebuild_tensor_v2")
_PARAMETERS = (Symbol("torch._utils", "_rebuild_parameter"), Symbol("torch._utils", "_rebuild_parameter_with_state"))
_TYPED = Symbol("torch._tensor", "_rebuild_from_type_v2")  # of a subclass, or with attributes, as `nn.Buffer` is
_ORDERED_DICT = Symbol("collections", "OrderedDict")
_DEFAULT_DICT = Symbol("collections", "defaultdict")
# Calls that are replaced by their first argument; those of `torch.jit` are TorchScript's typed lists and dicts.
_TRANSPARENT = {
    Symbol("torch", "Size"),
    Symbol("torch.jit._pickle", "build_intlist"),
    Symbol("torch.jit._pickle", "build_doublelist"),
    Symbol("torch.jit._pickle", "build_boollist"),
    Symbol("torch.jit._pickle", "build_tensorlist"),
    Symbol("torch.jit._pickle", "restore_type_tag"),
}


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
    """A tensor that is not made yet; all counts are in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TorchFile:
    """A file of PyTorch: the pickled tree, and the bytes that its leaves point at."""

    root: object  # dicts, lists and tuples, plain values, `TensorRef` for tensors, `ScriptObject`, `Opaque`
    where: str
    storages: Mapping[str, Bytes]
    order: str
    size: int  # bytes of the file
    archive: Archive | None = None  # that it is, unless it is of the old format

    def array(self, tensor: TensorRef) -> NDArray[np.generic]:
        """Make the array of a tensor: a read-only view of the memory-mapped file."""
        storage = tensor.storage
        size = item_size(storage.kind)
        data = self.storages[storage.key]
        try:
            if storage.numel * size > data.size or storage.first + storage.length > storage.numel:
                raise ValueError(f"its storage claims {storage.numel} numbers in {data.size} bytes")
            data = data[storage.first * size : (storage.first + storage.length) * size]
            return array_from_bytes(
                data, storage.kind, tensor.shape, strides=tensor.strides, offset=tensor.offset, order=self.order
            )
        except ValueError as error:
            raise CorruptCheckpointError(
                f"{self.where}: a tensor of shape {tensor.shape} leaves its storage {quoted(storage.key, 40)}: {error}."
            ) from error


def is_torch_legacy(head: bytes) -> bool:
    """Tell whether a file that begins so is in the format before 1.6: a pickle with the magic number in it."""
    return head.startswith(b"\x80") and _LEGACY_MAGIC in head


def read_torch_archive(archive: Archive) -> TorchFile:
    """Read a TorchScript archive, or a file of `torch.save` since PyTorch 1.6."""
    pickles = [name for name in archive.names if name.split("/")[-1] == "data.pkl" and name.count("/") <= 1]
    if not pickles and archive.names:
        raise UnsupportedCheckpointError(
            f"{archive.path}: a zip archive of other files ({quoted(archive.names[0], 60)}, ...), which may have to be "
            "unpacked; expected a TorchScript archive, a file of torch.save, or .npz."
        )
    if len(pickles) != 1:
        raise CorruptCheckpointError(f"{archive.path}: expected one record 'data.pkl', found {len(pickles)}.")
    folder = pickles[0].removesuffix("data.pkl")
    vocabulary = _TorchVocabulary(str(archive.path), scripted=f"{folder}constants.pkl" in archive)
    most = min(_MAX_PICKLE, _MAX_PACKED + archive.file_size)
    if archive.size(pickles[0]) > most:
        raise CorruptCheckpointError(
            f"{archive.path}: record {quoted(pickles[0], 100)} has {archive.size(pickles[0])} bytes; those of "
            f"checkpoints of this size have some ten thousand, {most} at most."
        )
    where = f"{archive.path}, record {quoted(pickles[0], 100)}"
    stream = BytesIO(archive.checked_record(pickles[0]).data)
    root = unpickle(stream, vocabulary, where, Budget(archive.file_size))
    del stream  # before records are inflated
    records = {key: archive.record(f"{folder}data/{key}") for key in vocabulary.storages}
    order = _byte_order(archive, f"{folder}byteorder")
    return TorchFile(root, str(archive.path), records, order, archive.file_size, archive)


def _byte_order(archive: Archive, name: str) -> str:
    """Return the order of bytes that an archive records; those of PyTorch before 2.1 record none, and are "little"."""
    if name not in archive:
        return "<"
    recorded = archive.checked_record(name)[:_MAX_ORDER].tobytes()
    if recorded not in _ORDERS:
        raise CorruptCheckpointError(
            f"{archive.path}: record {quoted(name, 100)} says that the byte order is "
            f"{quoted(recorded.decode('latin-1'), 20)}; expected 'little' or 'big'. Download the file again."
        )
    return _ORDERS[recorded]


def read_torch_legacy(path: Path) -> TorchFile:
    """Read a file of `torch.save` before PyTorch 1.6: five pickles in a row, then one storage after another."""
    where = str(path)
    vocabulary = _TorchVocabulary(where)
    data = map_file(path)
    stream, budget = cast("mmap.mmap", mapped_file(data)), Budget(data.size)
    _, protocol, system, root, keys = (unpickle(stream, vocabulary, where, budget) for _ in range(5))
    position = stream.tell()
    if protocol != _LEGACY_PROTOCOL or not isinstance(system, dict):
        raise UnsupportedCheckpointError(
            f"{path}: written by torch.save in another protocol than {_LEGACY_PROTOCOL}. "
            "Save it again with a current PyTorch."
        )
    little = system.get("little_endian", True)
    if not isinstance(little, bool):
        raise CorruptCheckpointError(f"{path}: its byte order is unknown: little_endian is neither true nor false.")
    order = "<" if little else ">"
    if not (
        isinstance(keys, list)
        and all(isinstance(key, str) for key in keys)
        and sorted(keys) == sorted(vocabulary.storages)
    ):
        raise CorruptCheckpointError(f"{path}: the list of storages is not the list of those that tensors use.")
    storages = {}
    for key in keys:
        storage = vocabulary.storages[key]
        count = int.from_bytes(data[position : position + 8].tobytes(), "little" if order == "<" else "big")
        begin, end = position + 8, position + 8 + storage.numel * item_size(storage.kind)
        if count != storage.numel or end > data.size:
            raise CorruptCheckpointError(
                f"{path}: storage {quoted(key, 40)} should hold {storage.numel} numbers; the file says {count} and "
                f"ends {max(end - data.size, 0)} bytes too early. It may have been cut short: download it again."
            )
        storages[key] = data[begin:end]
        position = end
    return TorchFile(root, where, storages, order, int(data.size))


class _TorchVocabulary:
    """Tensors, storages and dicts; in a TorchScript archive also its own classes, as attributes alone.

    All else is `Opaque`, whatever other packages call it. That is safe, as an opaque value is no more than its name.
    """

    def __init__(self, where: str, *, scripted: bool = False) -> None:
        self.storages: dict[str, Storage] = {}
        self._where = where
        self._scripted = scripted

    def allows(self, symbol: Symbol) -> bool:
        return may_be_named(symbol)

    def make(self, symbol: Symbol, arguments: tuple[Any, ...]) -> object:
        if symbol == _TENSOR and len(arguments) in (6, 7):
            return self._tensor(*arguments[:4], math_bits=arguments[6:])
        if symbol in _PARAMETERS and arguments and isinstance(arguments[0], TensorRef | Opaque):
            return arguments[0]
        if symbol == _TYPED and len(arguments) == 4 and isinstance(arguments[2], tuple):
            made, _, parts, _ = arguments
            return self.make(made, parts) if made in (_TENSOR, *_PARAMETERS) else Opaque(symbol)
        if (symbol == _ORDERED_DICT and not arguments) or symbol == _DEFAULT_DICT:
            return {}
        if symbol == _ORDERED_DICT and len(arguments) == 1 and isinstance(arguments[0], list):
            return self._ordered_dict(arguments[0])
        if symbol in _TRANSPARENT and arguments:
            return arguments[0]
        if self._scripted and _is_scripted_class(symbol) and not arguments:
            return ScriptObject(symbol)
        if symbol not in (_TENSOR, *_PARAMETERS, _ORDERED_DICT) and not _is_storage(symbol):
            return Opaque(symbol)
        raise CorruptCheckpointError(f"{self._where}: {str(symbol)!r:.200} is called with wrong arguments.")

    def persistent(self, key: object) -> Storage | Symbol:
        if isinstance(key, tuple) and len(key) == 5:
            key = (*key, None)
        match key:
            case ("module", Symbol() as kind, _, _):  # of a pickled model, before PyTorch 1.6: beside its source text
                return kind
            case ("storage", Symbol() as kind, str(name), str(), numel, part) if _is_storage(kind):
                first, length = _part(part, numel)
                if is_count(numel) and is_count(first) and is_count(length):
                    storage = Storage(_KINDS[kind.name], name, numel, first, length)
                    known = self.storages.setdefault(name, storage)
                    if (known.kind, known.numel) == (storage.kind, storage.numel):
                        return storage
        raise CorruptCheckpointError(f"{self._where}: a persistent id names no storage of numbers.")

    def _ordered_dict(self, pairs: list[Any]) -> dict[str, object]:
        """Make the dict that Python 2 saved as a list of pairs, and empty that: many dicts could copy a long one."""
        if not all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs):
            raise CorruptCheckpointError(f"{self._where}: an OrderedDict is not made of names and values.")
        made = dict(pairs)
        pairs.clear()
        return made

    def _tensor(
        self, storage: object, offset: object, shape: object, strides: object, *, math_bits: tuple[object, ...]
    ) -> TensorRef | Opaque:
        many = isinstance(shape, tuple) and len(shape) > MAX_DIMENSIONS
        if any(math_bits) or many:  # it is stored negated or conjugated, or no weight
            return Opaque(_TENSOR)
        if not isinstance(storage, Storage):
            raise CorruptCheckpointError(f"{self._where}: a tensor has no storage.")
        if not (is_count(offset) and _are_counts(shape) and _are_counts(strides)):
            raise CorruptCheckpointError(
                f"{self._where}: a tensor's offset, size or stride is not a count, "
                f"or it has more than {MAX_DIMENSIONS} strides."
            )
        if len(shape) != len(strides):
            raise CorruptCheckpointError(
                f"{self._where}: a tensor has {len(shape)} sizes and {len(strides)} strides; expected as many."
            )
        return TensorRef(storage, offset, shape, strides)


def _is_storage(symbol: Symbol) -> bool:
    return symbol.module in ("torch", "torch.storage") and symbol.name in _KINDS


def _is_scripted_class(symbol: Symbol) -> bool:
    return symbol.module == "__torch__" or symbol.module.startswith("__torch__.")


def _part(part: object, numel: Any) -> tuple[Any, Any]:
    """Return the first element and the length of a storage's part, ``(key, offset, size)``, or of all of it."""
    if part is None:
        return 0, numel
    if isinstance(part, tuple) and len(part) == 3:
        return part[1], part[2]
    return None, None


def _are_counts(values: object) -> TypeGuard[tuple[int, ...]]:
    return isinstance(values, tuple) and are_counts(values)
