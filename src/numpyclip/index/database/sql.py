"""Parts of SQL statements, and the table `meta`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from numpyclip.index.database import Connection, Damage
from numpyclip.index.records import Key

_DIGITS = 6  # of a number in `meta`
MOST_VALUES = 500  # in a statement: SQLite takes 999 before version 3.32
MOST_KEYS = MOST_VALUES // 2
PARTS = 4  # times as many embeddings are asked for at first, where images may have several of these


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
    """Tell whether an image may have several embeddings."""
    return meta(connection, "parts") is not None
