"""`.safetensors`: eight bytes of length, a JSON header, then the tensors' bytes without gaps.

Source: the format in the README of huggingface/safetensors, whose own reader refuses the same malformed files.
"""

import json
import math
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CorruptCheckpointError, UnsupportedCheckpointError
from numpyclip.weights.archive import Bytes, map_file
from numpyclip.weights.dtypes import BFLOAT16, MAX_DIMENSIONS, array_from_bytes, item_size

_MAX_HEADER = 100_000_000  # bytes, the format's own limit

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
}


def read_safetensors(path: Path) -> dict[str, NDArray[np.generic]]:
    """Map the tensors of a `.safetensors` file.

    Raises
    ------
    CorruptCheckpointError
        If the header is damaged, or the tensors overlap, leave gaps or do not fit the file.
    UnsupportedCheckpointError
        If a tensor is of a number format that no CLIP uses.
    """
    data = map_file(path)
    length = int.from_bytes(data[:8].tobytes(), "little")
    if data.size < 8 or length > min(data.size - 8, _MAX_HEADER):
        raise CorruptCheckpointError(
            f"{path}: the header should be {length} bytes long, but the file has {data.size}. Download it again."
        )
    header = _parse_header(data[8 : 8 + length], path)
    body = data[8 + length :]
    metadata = header.pop("__metadata__", {})
    if not (isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())):
        raise CorruptCheckpointError(f"{path}: '__metadata__' is not a map of texts.")
    spans = sorted((_span(name, entry, path) for name, entry in header.items()), key=lambda span: span[1:])
    end = 0
    for name, start, stop in spans:
        if start != end:
            raise CorruptCheckpointError(f"{path}: tensor {name!r:.100} begins at byte {start}; expected {end}.")
        end = stop
    if end != body.size:
        raise CorruptCheckpointError(
            f"{path}: the tensors end at byte {end}, the file at {body.size}. Download it again."
        )
    return {name: _array(body[start:stop], header[name], name, path) for name, start, stop in spans}


def _parse_header(raw: Bytes, path: Path) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name stands twice")
        return found

    try:
        if raw[:1].tobytes() != b"{":
            raise ValueError("it does not begin with '{'")
        header = json.loads(raw.tobytes().decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise CorruptCheckpointError(f"{path}: the header is not sound JSON ({error}).") from error
    if not isinstance(header, dict):
        raise CorruptCheckpointError(f"{path}: the header is no JSON object.")
    return header


def _span(name: str, entry: object, path: Path) -> tuple[str, int, int]:
    """Name, first and last byte of a tensor, after its entry in the header has been checked."""
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [start, stop], **others} if not others:
            if dtype not in _KINDS:
                raise UnsupportedCheckpointError(
                    f"{path}: tensor {name!r:.100} is stored as {dtype!r:.20}; expected one of {', '.join(_KINDS)}."
                )
            if len(shape) <= MAX_DIMENSIONS and all(map(_is_count, [*shape, start, stop])) and start <= stop:
                needed = math.prod(shape) * item_size(_KINDS[dtype])
                if needed == stop - start:
                    return name, start, stop
                raise CorruptCheckpointError(
                    f"{path}: tensor {name!r:.100} of shape {tuple(shape)} has {stop - start} bytes; expected {needed}."
                )
    raise CorruptCheckpointError(f"{path}: the entry of tensor {name!r:.100} is malformed.")


def _array(data: Bytes, entry: dict[str, Any], name: str, path: Path) -> NDArray[np.generic]:
    try:
        return array_from_bytes(data, _KINDS[entry["dtype"]], tuple(entry["shape"]))
    except ValueError as error:
        raise CorruptCheckpointError(f"{path}: tensor {name!r:.100} cannot be made ({error}).") from error


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**48
