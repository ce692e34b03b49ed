"""Untrusted small files, mostly JSON, read up to a limit of bytes."""

import json
from pathlib import Path
from typing import Any

from numpyclip.errors import CheckpointError
from numpyclip.regular_file import open_regular


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
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not JSON ({error!r:.200}); expected {expected}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: is {value!r:.60}; expected a JSON object.")
    return value
