"""A damaged SQLite database → one with what is sound in it, beside the same embeddings.

Rows are read from both ends of a table, so that those on both sides of damaged pages are found, and are kept if the
table and an index of it agree.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from types import NoneType
from typing import Any, NamedTuple

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError
from numpyclip.index import rows
from numpyclip.index.database import Damage
from numpyclip.index.database.sql import checked, set_meta
from numpyclip.index.database.sqlite_connection import SQLiteConnection
from numpyclip.index.picture_rows import EXIF_COLUMNS, EXIF_TYPES
from numpyclip.index.records import MODALITIES
from numpyclip.index.vectors.memory_mapped import MOST_ROWS
from numpyclip.index.vectors.shards import VECTOR_DTYPES

_TEXT = (str, NoneType)  # or nothing


class _Table(NamedTuple):
    columns: tuple[str, ...]
    kinds: tuple[Any, ...]
    key: tuple[str, ...]  # by which rows are in order
    other: str = ""  # an index that has all of `indexed`
    indexed: tuple[str, ...] = ()


_VECTORS = ("generation", "side", "row", "item", "part")
_TABLES = {
    "meta": _Table(("key", "value"), (str, str), ("key",)),
    "folders": _Table(("path", "ignored"), (bytes, str), ("path",)),
    "pictures": _Table(
        ("id", "digest", *EXIF_COLUMNS),
        (int, bytes, *EXIF_TYPES),
        ("id",),
        "sqlite_autoindex_pictures_1",
        ("id", "digest"),
    ),
    "files": _Table(
        ("directory", "name", "size", "mtime_ns", "date", "picture", "problem", "cause"),
        (bytes, bytes, int, int, str, (int, NoneType), _TEXT, _TEXT),
        ("directory", "name"),
        "files_of_picture",
        ("directory", "name", "ifnull(picture, -1)"),
    ),
    "texts": _Table(
        ("id", "text", "digest"), (int, bytes, bytes), ("id",), "sqlite_autoindex_texts_1", ("id", "digest")
    ),
    "vectors": _Table(_VECTORS, (int, str, int, int, str), _VECTORS[:3], "vectors_of_item", _VECTORS),
    "marks": _Table(
        ("digest", "kind", "name"),
        (bytes, str, str),
        ("digest", "kind", "name"),
        "marks_by_name",
        ("digest", "kind", "name"),
    ),
}
_NOT_IN_1 = {"cause": "NULL", "text": "CAST(text AS BLOB)"}  # columns that version 1 has not
_NOT_IN_1_OF_TEXTS = {"digest": "sha256(CAST(text AS BLOB))"}
_NOT_IN_2 = {"camera": "NULL", "lens": "NULL", "utc_offset": "NULL", "duration": "NULL", "part": "''"}


def check_rows(connection: sqlite3.Connection) -> None:
    """Raise Damage for what NumPyCLIP does not write."""
    for name in _TABLES:
        for row in connection.execute(_select(connection, name)):
            _check(name, row)
    facts = dict(connection.execute("SELECT key, value FROM meta"))
    if "fingerprint" in facts and not {"embed_dim", "generation"} <= set(facts):
        raise Damage("does not say how long embeddings are, or which are searched")
    (there,) = connection.execute("SELECT count(*) FROM vectors").fetchone()
    if there and "fingerprint" not in facts:
        raise Damage("does not record the model of its embeddings")


def copy_sound(old: sqlite3.Connection, new: SQLiteConnection) -> None:
    """Copy what is sound to a database without rows."""
    old.text_factory = lambda data: data.decode("utf-8", "replace")
    for name, table in _TABLES.items():
        for order in ("ASC", "DESC"):
            into = f"INSERT OR IGNORE INTO {name} VALUES ({_marks(table.columns)})"
            new.executemany(into, (row for row in _readable(old, name, order) if _is_sound(name, row)))
        if table.other:
            _keep_what_is_indexed(old, new, name)
    facts = dict(new.execute("SELECT key, value FROM meta"))
    if not {"fingerprint", "embed_dim"} <= set(facts):  # nobody knows what the embeddings are of
        for name in ("vectors", "files", "pictures"):
            new.execute(f"DELETE FROM {name}")
        new.execute("DELETE FROM meta WHERE key IN ('fingerprint', 'embed_dim', 'generation')")
    elif "generation" not in facts:
        (first,) = new.execute("SELECT min(generation) FROM vectors").fetchone()
        set_meta(new, generation=str(first or 1))
    if not {"next_fingerprint", "next_embed_dim"} <= set(facts):  # a migration begins again
        new.execute("DELETE FROM meta WHERE key LIKE 'next%'")
        new.execute("DELETE FROM vectors WHERE generation > (SELECT value + 0 FROM meta WHERE key = 'generation')")


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether an error is due to what is in a file, and not to who uses it, or to the disk."""
    return not any(reason in str(error) for reason in ("locked", "disk I/O", "full", "unable to open", "readonly"))


def _keep_what_is_indexed(old: sqlite3.Connection, new: sqlite3.Connection, name: str) -> None:
    """Delete rows that an index does not have as well."""
    indexed = _TABLES[name].indexed
    new.execute(f"CREATE TEMP TABLE seen AS SELECT {', '.join(indexed)} FROM {name} WHERE 0")
    for order in ("ASC", "DESC"):
        into = f"INSERT INTO seen VALUES ({_marks(indexed)})"
        new.executemany(into, _readable(old, name, order, by_index=True))
    new.execute(f"DELETE FROM {name} WHERE ({', '.join(indexed)}) NOT IN (SELECT * FROM seen)")
    new.execute("DROP TABLE seen")


def _marks(columns: tuple[str, ...]) -> str:
    return ", ".join("?" * len(columns))


def _readable(old: sqlite3.Connection, name: str, order: str, *, by_index: bool = False) -> Iterator[Any]:
    """Read what can be read of a table, or of its index, from one end."""
    try:
        yield from old.execute(_select(old, name, order, by_index=by_index))
    except sqlite3.Error as error:
        if not is_damage(error):
            raise


def _select(connection: sqlite3.Connection, name: str, order: str = "ASC", *, by_index: bool = False) -> str:
    """Return the statement that reads a table, or only an index of it, in its order."""
    columns, _, key, other, indexed = _TABLES[name]
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if name == "marks" and version < 3:
        return f"SELECT {', '.join(columns)} FROM marks"  # a view of nothing
    if by_index:
        columns, source = indexed, f"INDEXED BY {other}"
        key = tuple(column for _, _, column in connection.execute(f"PRAGMA index_info({other})"))
    else:
        source = "NOT INDEXED"
    missing = _NOT_IN_2 if version < 3 else {}
    if version < 2:
        missing = missing | _NOT_IN_1 | (_NOT_IN_1_OF_TEXTS if name == "texts" else {})
    columns = tuple(missing.get(column, column) for column in columns)
    ordered = ", ".join(f"{column} {order}" for column in key)
    return f"SELECT {', '.join(columns)} FROM main.{name} {source} ORDER BY {ordered}"


def _is_sound(name: str, row: tuple[Any, ...]) -> bool:
    try:
        _check(name, row)
    except Damage:
        return False
    return True


def _check(name: str, row: tuple[Any, ...]) -> None:
    """Raise Damage for a row that NumPyCLIP does not write."""
    checked(row, *_TABLES[name].kinds)
    if name == "meta" and not _is_fact(*row):
        raise Damage(f"holds {row[1]!r:.60} for {row[0]!r:.60}")
    if name == "folders":
        rows.patterns_in(row[1])
    if name == "texts" and hashlib.sha256(row[1]).digest() != row[2]:
        raise Damage(f"holds {row[1]!r:.60}, which is not the text that was added")
    if name == "vectors" and not (row[0] > 0 and row[1] in MODALITIES and 0 <= row[2] < MOST_ROWS):
        raise Damage(f"names row {row[2]} of embeddings of {row[1]!r:.60}")


def _is_fact(key: str, value: str) -> bool:
    """Tell whether a value can be that of a key of `meta`."""
    if key == "precision":
        return value in VECTOR_DTYPES
    if key in ("generation", "embed_dim", "next_embed_dim"):
        return value.isascii() and value.isdecimal() and len(value) <= 6 and int(value) > 0
    with contextlib.suppress(InputError, ValueError, RecursionError):
        if key in ("fingerprint", "next_fingerprint"):
            Fingerprint.from_json(value)
        elif key == "calibration" or key.startswith("model "):
            return isinstance(json.loads(value), dict)
        return True
    return False
