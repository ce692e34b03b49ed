"""PREDICTIONS → FILES: tables as CSV or JSON."""

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
    """Write predictions, atomically.

    Parameters
    ----------
    file : Path
        ``.csv``: the rows, with a header. ``.json``: an object with the summary, and the rows as "pictures"; NaN is
        written as null.
    rows : iterable of mapping
        With the same keys.
    summary : mapping
    """
    if file.suffix.lower() not in REPORT_SUFFIXES:
        raise InputError(f"{file}: expected a name that ends in {' or '.join(REPORT_SUFFIXES)}.")
    listed = [dict(row) for row in rows]
    with atomic_file(file) as stream:
        if file.suffix.lower() == ".json":
            stream.write(json_text({**summary, "pictures": listed}, indent=1).encode("utf-8"))
            return
        text = io.TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline="")  # names may not be Unicode
        writer = csv.DictWriter(text, list(listed[0]) if listed else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
        text.detach()


def json_text(value: Mapping[str, Any], indent: int | None = None) -> str:
    """Write JSON, with null for NaN."""
    return json.dumps(_without_nan(value), indent=indent)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value
