"""Untrusted small files, mostly JSON, read up to a limit of bytes."""

import json
import reprlib
from pathlib import Path
from typing import Any

from numpyclip.errors import CheckpointError
from numpyclip.regular_file import open_regular

_OBJECTS = 48 * 2**20  # bytes of objects that any file may make
_COST, _COST_OF_UNIQUE = 110, 140  # bytes that a comma, a colon or a bracket stands for, at most, on average


def read_bytes(path: Path, max_bytes: int, expected: str) -> bytes:
    """Read a regular file of at most so many bytes; CheckpointError if it is larger or cannot be read."""
    try:
        with open_regular(path) as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if len(data) > max_bytes:
        raise CheckpointError(f"{path}: has more than {max_bytes} bytes; expected {expected}.")
    return data


def parse_json(data: bytes, unique: bool = False) -> Any:
    """Parse JSON; ValueError if it is none, has far too many values, or with `unique` has a name twice in an object.

    Objects take a hundred times the bytes of their text (``{}``), so they are counted before any is made, by the
    punctuation between them.
    """
    values = sum(map(data.count, (b",", b":", b"[", b"{")))
    if values * (_COST_OF_UNIQUE if unique else _COST) > _OBJECTS + 2 * len(data):
        raise ValueError(f"it has {values} values, far too many")
    return json.loads(data, object_pairs_hook=without_duplicates if unique else None)


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object; ValueError for duplicate names, of which another reader might take the other one."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has a name twice")
    return made


def read_json_object(path: Path, max_bytes: int, expected: str) -> dict[str, Any]:
    """Read a JSON object; CheckpointError if it is none, see also `read_bytes`."""
    data = read_bytes(path, max_bytes, expected)
    try:
        value = parse_json(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not JSON ({error!r:.200}); expected {expected}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: is {reprlib.repr(value):.60}; expected a JSON object.")
    return value
