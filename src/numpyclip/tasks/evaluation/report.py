"""PREDICTIONS → FILES: tables as CSV or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from numpyclip.atomic import atomic_file
from numpyclip.errors import InputError
from numpyclip.escaping import column, json_text

REPORT_SUFFIXES = (".csv", ".json")
Row = Mapping[str, "str | float | None"]


def write_report(file: Path, rows: Iterable[Row], summary: Mapping[str, Any]) -> None:
    """Write predictions, atomically.

    Parameters
    ----------
    file : Path
        ``.csv``: the rows, with a header; unsafe texts as `numpyclip.escaping.column` writes them. ``.json``: an object
        with the summary, and the rows as "pictures", as `numpyclip.escaping.json_text` writes it.
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
        text = io.TextIOWrapper(stream, "utf-8", newline="")
        writer = csv.DictWriter(text, list(listed[0]) if listed else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in listed)
        text.detach()


def _cell(value: str | float | None) -> str | float | None:
    return column(value) if isinstance(value, str) else value
