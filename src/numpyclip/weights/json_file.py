"""Small files from elsewhere, JSON most of all, read up to a size that none of their kind has."""

import json
from pathlib import Path
from typing import Any

from numpyclip.errors import CheckpointError


def read_bytes(path: Path, most: int, expected: str) -> bytes:
    """Read a file that is expected to be something of at most so many bytes.

    Raises
    ------
    CheckpointError
        If it cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if len(data) > most:
        raise CheckpointError(f"{path}: has more than {most} bytes; expected {expected}.")
    return data


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object; of a name that is there twice, another reader might take the other one."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has a name twice")
    return made


def read_json_object(path: Path, most: int, expected: str) -> dict[str, Any]:
    """Read a JSON object; see `read_bytes`.

    Raises
    ------
    CheckpointError
        Also if it is none.
    """
    data = read_bytes(path, most, expected)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not JSON ({error!r:.200}); expected {expected}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: is {value!r:.60}; expected a JSON object.")
    return value
