"""Columns of names, which are bytes in file systems and in archives, and need not be UTF-8.

Those that are not are there twice: readable, and in a column of the same name with ``_bytes``, as they are.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpyclip.shards.columns import valid_text
from numpyclip.shards.parquet import column_values

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch


def text_column(texts: Sequence[str | None]) -> Array:
    """Make a column of texts."""
    import pyarrow

    return pyarrow.array([text if text is None else valid_text(text) for text in texts], pyarrow.string())


def name_columns(column: str, names: Sequence[str]) -> dict[str, Array]:
    """Make a column of names, and, if some are not UTF-8, that of their bytes."""
    import pyarrow

    columns = {column: text_column(names)}
    if any(raw := [None if name == valid_text(name) else _bytes(name) for name in names]):
        columns[f"{column}_bytes"] = pyarrow.array(raw, pyarrow.binary())
    return columns


def names_in(batch: RecordBatch, column: str) -> list[str | None]:
    """Read names, None where there is none."""
    names = column_values(batch.column(column))
    has_bytes = f"{column}_bytes" in batch.schema.names
    raw = column_values(batch.column(f"{column}_bytes")) if has_bytes else [None] * len(names)
    return [_name(name if each is None else each) for name, each in zip(names, raw, strict=True)]


def _bytes(name: str) -> bytes | None:
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return None


def _name(value: Any) -> str | None:
    return os.fsdecode(value) if isinstance(value, str | bytes) and value else None
