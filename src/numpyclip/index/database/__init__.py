"""The SQL databases that an index may be in.

`Database` is what they have in common. SQL is written once, as SQLite and PostgreSQL both understand it, with ``?`` for
values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from numpyclip.errors import StoreError
from numpyclip.index.where import Where

RECOVERY = "`numpyclip index --check` finds what is damaged, and repairs it."


class Damage(Exception):
    """What is in a database is nothing that NumPyCLIP writes; a database raises it as StoreError, with its place."""


class NoIndexError(StoreError):
    """There is no index at a place; `options` are those of the command that makes one."""

    def __init__(self, place: object, options: str = "") -> None:
        super().__init__(f"{place}: holds no index; make one with `numpyclip index FOLDER{options}`.")
        self.place, self.options = place, options


class InUseError(StoreError):
    """Another process holds the lock for writing."""


class Connection:
    """What statements are run on."""

    key_of_files: str  # what is unique in the table `files`, as SQL has it

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """Run a statement; gives a cursor as that of `sqlite3`: rows, `fetchone`, `fetchall` and `rowcount`."""
        raise NotImplementedError

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run a statement once for each row of values."""
        raise NotImplementedError

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], conflict: str, /) -> None:
        """Add rows; `conflict` is what to do where one is there."""
        raise NotImplementedError

    def estimate(self, where: Where, /) -> int:
        """Return about how many files `where` selects."""
        raise NotImplementedError

    def lock(self, table: str, ids: Sequence[int], /) -> None:
        """Have other writers that lock these rows wait until this transaction has ended."""
        return

    def copy(self, table: str, rows: bytes, /) -> None:
        """Add rows in the binary format of PostgreSQL, which other databases do not read."""
        raise NotImplementedError


class Database(Protocol):
    """One database. Reading is safe from many threads, and while another process writes."""

    @property
    def place(self) -> str:
        """Where it is, as a person names it; without a password."""

    def writing(self, *, shared: bool = False) -> AbstractContextManager[None]:
        """Hold the lock for writing, where the database can with others that share it; InUseError if it is taken."""

    def marking(self) -> AbstractContextManager[Connection]:
        """Open a short transaction on the table `marks`, also while another process or thread is writing."""

    def building(self) -> AbstractContextManager[Connection]:
        """Hold the lock for building or removing HNSW indexes, and open a connection outside of a transaction."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a connection whose statements all read one snapshot."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """Open a transaction on the writer's connection."""

    def shrink(self) -> None:
        """Free the disk space of deleted rows, if the database does not by itself."""
        return

    def close(self) -> None:
        """Close connections that are open between calls."""
        return
