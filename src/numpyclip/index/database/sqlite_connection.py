"""Connections to the SQLite database of an index."""

from __future__ import annotations

import contextlib
import hashlib
import math
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from numpyclip.index.database import Connection
from numpyclip.index.database.conditions import conditions
from numpyclip.index.where import Where

_BUSY = 30  # seconds that a transaction waits for another
_BUSY_AT_THE_END = 1000  # milliseconds that a writer waits for readers, to move all into the file


class SQLiteConnection(sqlite3.Connection, Connection):
    """One whose transactions are begun by statements."""

    key_of_files = "directory, name"

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        """Run a statement."""
        with _readable_errors():
            return super().execute(sql, values)

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        """Run statements."""
        with _readable_errors():
            return super().executescript(script)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], conflict: str, /) -> None:
        """Add rows."""
        marks = ", ".join("?" * len(columns))
        self.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT {conflict}", rows)

    def estimate(self, where: Where, /) -> int:
        """Count them, as a search does; of all, the numbers of images tell, which have few gaps."""
        condition, values = conditions(self, where)
        sql = f"SELECT count(*) FROM files WHERE {condition}" if values else "SELECT max(id) FROM pictures"
        return int(self.execute(sql, values).fetchone()[0])


@contextlib.contextmanager
def _readable_errors() -> Iterator[None]:
    """Raise errors of SQLite as such, also where their messages quote a damaged name, which is no text."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise sqlite3.DatabaseError(error.object.decode("utf-8", "backslashreplace")) from error


def connected(uri: str) -> SQLiteConnection:
    """Open a connection, with the functions that statements need."""
    connection = sqlite3.connect(
        uri, uri=True, timeout=_BUSY, isolation_level=None, check_same_thread=False, factory=SQLiteConnection
    )
    connection.create_function("sha256", 1, lambda data: hashlib.sha256(data).digest(), deterministic=True)
    for function in (math.cos, math.floor):  # which SQLite need not have
        connection.create_function(function.__name__, 1, function, deterministic=True)
    return connection


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the format of an index."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def unsound_pages(connection: sqlite3.Connection, check: Literal["quick_check", "integrity_check"]) -> str | None:
    """Have SQLite look at the pages of a database, and say what is wrong with them."""
    try:
        (found,) = connection.execute(f"PRAGMA {check}(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # such as that it is locked
            raise
        return str(error)
    return None if found == "ok" else f"is damaged ({' '.join(found.split())})"


def checkpoint(connection: sqlite3.Connection) -> bool:
    """Move all into the database file; False if a reader is in the way for too long."""
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_AT_THE_END}")
        (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:  # the disk is full, say: what is missing in the file is beside it
        return False
    return not is_busy
