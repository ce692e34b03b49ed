"""Parts of SQL statements: conditions, and the table `meta`."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any

from numpyclip.file_systems import is_url
from numpyclip.index.database import Connection, Damage
from numpyclip.index.database.schema import FOLDER_BYTES
from numpyclip.index.records import Key, Modality
from numpyclip.index.where import Where

_DIGITS = 6  # of a number in `meta`
MOST_VALUES = 500  # in a statement: SQLite takes 999 before version 3.32
MOST_KEYS = MOST_VALUES // 2
PARTS = 4  # times as many embeddings are asked for at first, where pictures may have several of these


def checked(row: Sequence[Any], *kinds: type | tuple[type, ...]) -> Any:
    """Return a row that was read, if its values are of these types; a damaged SQLite file may hold others."""
    for value, kind in zip(row, kinds, strict=True):
        if not isinstance(value, kind):
            raise Damage(f"holds {value!r:.60} of type {type(value).__name__} where there should be another one")
    return row


def meta(connection: Connection, key: str) -> str | None:
    """Look up a fact about the index as a whole."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(checked(row, str)[0])


def number(connection: Connection, key: str) -> int | None:
    """Look up a number, from 1 to 999,999."""
    if (written := meta(connection, key)) is None:
        return None
    if not (written.isdecimal() and written.isascii() and len(written) <= _DIGITS and int(written)):
        raise Damage(f"holds {written!r:.60} for {key}; expected a number")
    return int(written)


def set_meta(connection: Connection, **values: str) -> None:
    """Store facts about the index as a whole."""
    sql = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    connection.executemany(sql, values.items())


def generation(connection: Connection) -> int:
    """Return the number of the embeddings that are searched; 0 before the first. A migration fills the next one."""
    return number(connection, "generation") or 0


def one_of(count: int) -> str:
    """Return the condition for one of so many values."""
    return f"IN ({', '.join('?' * count)})"


def of_keys(keys: Collection[Key]) -> tuple[str, list[Any]]:
    """Return a condition that is true of parts of items, and perhaps of others: of pairs SQLite asks no index."""
    items, parts = ({*each} for each in zip(*keys, strict=True))
    return f"item {one_of(len(items))} AND part {one_of(len(parts))}", [*items, *parts]


def have_parts(connection: Connection) -> bool:
    """Tell whether a picture may have several embeddings."""
    return meta(connection, "parts") is not None


def below(folder: str, column: str = "directory", *, about: bool = False) -> tuple[str, list[Any]]:
    """Return the condition for a folder and those below it, which are a range of bytes.

    With `about`, only the beginnings of folders are compared, of which PostgreSQL has statistics.
    """
    path = os.fsencode(folder)
    separator = b"/" if is_url(folder) else os.fsencode(os.sep)
    start = path if path.endswith(separator) else path + separator
    end = start[:-1] + bytes([start[-1] + 1])
    beginning = f"substr({column}, 1, {FOLDER_BYTES})"  # of which PostgreSQL has an index
    exact = "({0} = ? OR ({0} >= ? AND {0} < ?))"
    ends = [part[:FOLDER_BYTES] for part in (path, start, end)]
    if about:
        return exact.format(beginning), ends
    condition = f"({beginning} >= ? AND {beginning} <= ? AND {exact.format(column)})"
    return condition, [ends[0], ends[2], path, start, end]


def conditions(where: Where, *, about: bool = False) -> tuple[str, list[Any]]:
    """Return the condition for rows of `files` that are searched; see `below`."""
    written = ["picture IS NOT NULL"]
    values: list[Any] = []
    if where.folder is not None:
        condition, ends = below(os.fspath(where.folder), about=about)
        written.append(condition)
        values.extend(ends)
    for sign, date in ((">=", where.after), ("<", where.before)):
        if date is not None:
            written.append(f"date {sign} ?")
            values.append(date)
    return " AND ".join(written), values


def is_searched(modality: Modality, where: Where) -> tuple[str, list[Any]]:
    """Return the condition for rows of `vectors` that are searched: all texts, and pictures with a file that is."""
    if modality == "texts":
        return "1 = 1", []
    condition, values = conditions(where)
    return f"EXISTS (SELECT 1 FROM files WHERE picture = item AND {condition})", values
