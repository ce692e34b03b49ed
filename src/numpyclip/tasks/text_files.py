"""FILE → TEXT: small text files, such as lists of labels."""

from __future__ import annotations

import os
from pathlib import Path

from numpyclip.errors import InputError

_MOST_BYTES = 2**26  # ten times all words of WordNet with their synonyms


def read_text(file: str | os.PathLike[str]) -> str:
    """Read a text file in UTF-8, with or without a byte order mark; InputError if that is not possible."""
    path = Path(file)
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if len(content) > _MOST_BYTES:
        raise InputError(f"{path}: has more than {_MOST_BYTES >> 20} MiB; expected a file of labels or templates.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}: line {line} is not UTF-8 ({error.reason}). Save the file as UTF-8.") from error


def read_lines(file: str | os.PathLike[str]) -> list[str]:
    """Read the lines of a text file, stripped and without empty ones."""
    return [stripped for line in read_text(file).split("\n") if (stripped := line.strip())]
