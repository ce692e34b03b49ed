"""Columns of names, which are bytes in file systems and in archives, and may not be UTF-8.

Names that are not UTF-8 are written twice: escaped, and as bytes in a column with the suffix ``_bytes``. The metadata
of the file records the folder to which paths are relative.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpyclip.file_systems import is_url
from numpyclip.sources.columns import valid_text
from numpyclip.sources.parquet import column_values

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch

_FOLDER = "numpyclip.folder"


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
    return [_name(each) or _name(name) for name, each in zip(names, raw, strict=True)]


def folder_of(paths: Iterable[str]) -> dict[str, bytes]:
    """Return the metadata of a file with some paths: if one is relative, the folder of this process."""
    return {_FOLDER: os.getcwdb()} if not all(map(_is_whole, paths)) else {}


def whole_paths(paths: Iterable[str | None], metadata: Mapping[bytes, bytes] | None) -> list[str | None]:
    """Return paths that are not relative, if the file has the metadata of `folder_of`."""
    folder = os.fsdecode((metadata or {}).get(_FOLDER.encode(), b""))
    return [os.path.join(folder, path) if path and not _is_whole(path) else path for path in paths]


def _is_whole(path: str) -> bool:
    return is_url(path) or os.path.isabs(path)


def _bytes(name: str) -> bytes | None:
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return None


def _name(value: Any) -> str | None:
    return os.fsdecode(value) if isinstance(value, str | bytes) and value else None
