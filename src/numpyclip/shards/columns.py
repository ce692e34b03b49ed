"""COLUMNS → COLUMNS: what an output carries along from its input, under names and as values that can be written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from numpyclip.errors import InputError

CAPTION = "caption"  # the column of texts in every output
RESERVED = ("key", "embedding", "error")  # the output's own

_PREFIX = "source_"
_MOST_COLUMNS = 256
_INTEGERS = range(-(2**63), 2**63)


def valid_text(text: str) -> str:
    r"""Return a text as valid UTF-8, with lone surrogates (of file names, say) as ``\udce9``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def output_names(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Map names of columns to those in the output: what is taken there, or by others, is prefixed."""
    used, renamed = {*RESERVED, *taken}, {}
    for name in names:
        new = valid_text(name)
        while new in used:
            new = f"{_PREFIX}{new}"
        used.add(new)
        renamed[name] = new
    return renamed


def few(facts: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return what is carried along; InputError if it is too much."""
    if len(facts) > _MOST_COLUMNS:
        raise InputError(
            f"{where}: has {len(facts)} columns; expected {_MOST_COLUMNS} at most. Choose some: columns=('a', 'b')."
        )
    return facts


def json_value(value: Any, where: str) -> Any:
    """Return a value of a JSON file as one that a column can have: lists and objects, and huge integers, as JSON.

    Raises
    ------
    InputError
        If it is nested so deep that it cannot be written.
    """
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, list | dict) or (isinstance(value, int) and value not in _INTEGERS):
        try:
            return json.dumps(value)
        except RecursionError as error:
            raise InputError(f"{where}: its .json is nested too deep.") from error
    return value
