"""ANSWERS → FILES: tables of what was predicted."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from numpyclip.atomic import atomic_file
from numpyclip.errors import InputError

REPORT_SUFFIXES = (".csv", ".json")
Row = Mapping[str, "str | float | None"]


def write_report(file: Path, rows: Iterable[Row], summary: Mapping[str, Any]) -> None:
    """Write what was predicted, whole or not at all.

    Parameters
    ----------
    file : Path
        ``.csv``: the rows, under the names of their columns. ``.json``: an object with the summary, and the rows as
        "pictures"; what is NaN is null.
    rows : iterable of mappings
        With the same keys.
    summary : mapping

    Raises
    ------
    InputError
        If the name has another suffix.
    NumPyCLIPError
        If the file cannot be written.
    """
    if file.suffix.lower() not in REPORT_SUFFIXES:
        raise InputError(f"{file}: expected a name that ends in {' or '.join(REPORT_SUFFIXES)}.")
    listed = [dict(row) for row in rows]
    with atomic_file(file) as stream:
        if file.suffix.lower() == ".json":
            stream.write(json_text({**summary, "pictures": listed}, indent=1).encode("utf-8"))
            return
        text = io.TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline="")  # names may be no text
        writer = csv.DictWriter(text, list(listed[0]) if listed else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
        text.detach()


def json_text(value: Mapping[str, Any], indent: int | None = None) -> str:
    """Write JSON, in which there is no NaN."""
    return json.dumps(_without_nan(value), indent=indent)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value
