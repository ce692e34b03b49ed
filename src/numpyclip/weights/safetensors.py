"""`.safetensors`: eight bytes of length, a JSON header, then the tensors' bytes without gaps.

Source: the format in the README of huggingface/safetensors, whose own reader refuses the same malformed files.
"""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CorruptCheckpointError, quoted
from numpyclip.weights.archive import Bytes, map_file
from numpyclip.weights.dtypes import (
    BFLOAT16,
    MAX_DIMENSIONS,
    BFloat16,
    Unread,
    are_counts,
    array_from_bytes,
    is_count,
    item_size,
)
from numpyclip.weights.int8 import SCALE, ScaledInt8, join_scales
from numpyclip.weights.json_file import parse_json

_MAX_HEADER = 2**22  # bytes, of some thirty thousand tensors; the format's own limit, 100 MB, takes gigabytes
_ALIGNMENT = 64  # bytes of a line of the cache
_PIECE = 2**24  # bytes written at once: Ctrl-C need not wait for a whole table

_KINDS = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BF16": BFLOAT16,
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U64": "u8",
    "U32": "u4",
    "U16": "u2",
    "U8": "u1",
    "BOOL": "?",
    "C64": "c8",
}


class _Parsed(NamedTuple):
    arrays: dict[str, NDArray[np.generic]]
    metadata: dict[str, str]
    unread: dict[str, Unread]


def read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Memory-map the tensors of a `.safetensors` file (`Unread`, if no CLIP uses the dtype), and read its metadata.

    Raises
    ------
    CorruptCheckpointError
        If the header is damaged, or the tensors overlap, leave gaps or do not fit the file.
    """
    parsed = parse_safetensors(map_file(path), path)
    return {**parsed.arrays, **parsed.unread}, parsed.metadata


def parse_safetensors(data: Bytes, path: Path) -> _Parsed:
    """View the bytes of a `.safetensors` file as tensors, and read its metadata; see above."""
    length = int.from_bytes(data[:8].tobytes(), "little")
    if data.size < 8 or length > data.size - 8:
        raise CorruptCheckpointError(
            f"{path}: the header should be {length} bytes long, but the file has {data.size}. Download it again."
        )
    if length > _MAX_HEADER:
        raise CorruptCheckpointError(
            f"{path}: its header has {length} bytes; expected at most {_MAX_HEADER}. Save it without other metadata."
        )
    header = _parse_header(data[8 : 8 + length], path)
    body = data[8 + length :]
    metadata = header.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata
    if not (isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())):
        raise CorruptCheckpointError(f"{path}: '__metadata__' does not map strings to strings.")
    spans = sorted((_span(name, entry, path) for name, entry in header.items()), key=lambda span: span[1:])
    end = 0
    for name, start, stop in spans:
        if start != end:
            raise CorruptCheckpointError(f"{path}: tensor {quoted(name, 100)} begins at byte {start}; expected {end}.")
        end = stop
    if end != body.size:
        raise CorruptCheckpointError(
            f"{path}: the tensors end at byte {end}, the file at {body.size}. Download it again."
        )
    kinds = {name: entry["dtype"] for name, entry in header.items()}
    unread = {name: Unread(f"stored as {quoted(kind, 20)}") for name, kind in kinds.items() if kind not in _KINDS}
    arrays = {
        name: _array(body[start:stop], header[name], name, path) for name, start, stop in spans if name not in unread
    }
    return _Parsed(join_scales(arrays, path), metadata, unread)


def _parse_header(raw: Bytes, path: Path) -> dict[str, Any]:
    try:
        if raw[:1].tobytes() != b"{":
            raise ValueError("it does not begin with '{'")
        header = parse_json(raw.tobytes(), unique=True)
    except (ValueError, RecursionError) as error:
        raise CorruptCheckpointError(f"{path}: the header is not sound JSON ({error}).") from error
    if not isinstance(header, dict):
        raise CorruptCheckpointError(f"{path}: the header is no JSON object.")
    return header


def _span(name: str, entry: object, path: Path) -> tuple[str, int, int]:
    """Return the name, start and stop of a tensor, after checking its entry in the header."""
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [start, stop]}:  # and more, as the library
            if len(shape) > MAX_DIMENSIONS:
                raise CorruptCheckpointError(
                    f"{path}: tensor {quoted(name, 100)} has {len(shape)} dimensions; "
                    f"expected {MAX_DIMENSIONS} at most."
                )
            if are_counts(shape) and is_count(start) and is_count(stop) and start <= stop:
                needed = math.prod(shape) * item_size(_KINDS[dtype]) if dtype in _KINDS else stop - start
                if needed == stop - start:
                    return name, start, stop
                raise CorruptCheckpointError(
                    f"{path}: tensor {quoted(name, 100)} of shape {tuple(shape)} has {stop - start} bytes; "
                    f"expected {needed}."
                )
    raise CorruptCheckpointError(f"{path}: the entry of tensor {quoted(name, 100)} is malformed.")


def _array(data: Bytes, entry: dict[str, Any], name: str, path: Path) -> NDArray[np.generic]:
    try:
        return array_from_bytes(data, _KINDS[entry["dtype"]], tuple(entry["shape"]))
    except ValueError as error:
        raise CorruptCheckpointError(f"{path}: tensor {quoted(name, 100)} cannot be made ({error}).") from error


@dataclass(frozen=True, eq=False)
class Unwritten:
    """A tensor to write, which is not made before its turn."""

    name: str
    kind: str  # its dtype in the file, such as "F32"
    shape: tuple[int, ...]
    make: Callable[[], NDArray[np.generic]]  # returns its numbers; those of "BF16" as uint16

    @property
    def nbytes(self) -> int:
        """Its size in the file."""
        return math.prod(self.shape) * item_size(_KINDS[self.kind])


def unwritten(name: str, array: NDArray[np.generic]) -> list[Unwritten]:
    """Write an array in its own dtype; int8 weights as two tensors, numbers and scales."""
    if isinstance(array, ScaledInt8):
        if array.scale is None:
            raise TypeError(f"tensor {quoted(name, 100)}: this view of int8 weights has lost its scales")
        return [*unwritten(name, array.view(np.ndarray)), *unwritten(name + SCALE, array.scale)]
    if isinstance(array, BFloat16):
        bits = array.view(np.ndarray)
        return [Unwritten(name, "BF16", array.shape, lambda: bits.astype("<u2", copy=False))]
    dtype = array.dtype.newbyteorder("<")
    kind = next(
        kind for kind, known in _KINDS.items() if known != BFLOAT16 and np.dtype(known).newbyteorder("<") == dtype
    )
    return [Unwritten(name, kind, array.shape, lambda: array.astype(dtype, copy=False))]


def write_safetensors(path: Path, tensors: Sequence[Unwritten], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to a file, one after another, and flush it to the disk.

    Not atomic: an existing file is overwritten, and after an error it is incomplete. Wide numbers are written before
    narrow ones, so that all are aligned.
    """
    ordered = sorted(tensors, key=lambda tensor: -item_size(_KINDS[tensor.kind]))
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for tensor in ordered:
        start, end = end, end + tensor.nbytes
        header[tensor.name] = {"dtype": tensor.kind, "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in ordered:
            data = np.ascontiguousarray(tensor.make()).reshape(-1).view(np.uint8)
            if data.size != tensor.nbytes:
                raise ValueError(f"tensor {tensor.name!r} has {data.size} bytes; {tensor.nbytes} were announced")
            for begin in range(0, data.size, _PIECE):
                file.write(data[begin : begin + _PIECE].data)
        file.flush()
        os.fsync(file.fileno())
