"""An index in a folder: its SQLite database."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from numpyclip.atomic import temporary_path
from numpyclip.errors import StoreError
from numpyclip.index.database import Database
from numpyclip.index.database.schema import APPLICATION_ID, SQLITE, VERSION
from numpyclip.index.database.sql import set_meta
from numpyclip.lock import exclusive

_BUSY = 30  # seconds that a transaction waits for another
_NAME = "index.sqlite"


class SQLiteDatabase(Database):
    """See `Database`: one file in an absolute folder, read by any number of threads and processes while one writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / _NAME
        self._writer: sqlite3.Connection | None = None
        self._writer_thread = 0

    @property
    def place(self) -> str:
        """Its folder."""
        return os.fspath(self._folder)

    def create(self, **values: str) -> None:
        """Make an empty one, unless it is there, with some facts about it."""
        if self.file.exists():
            return
        with self.translated():
            self._folder.mkdir(parents=True, exist_ok=True)
            if others := [p.name for p in self._folder.iterdir() if not p.name.startswith((".", _NAME))]:
                raise StoreError(
                    f"{self._folder}: is not empty (it holds {others[0]}); expected an index, or an empty or new "
                    "folder for one."
                )
            with temporary_path(self.file) as part:
                connection = sqlite3.connect(part, isolation_level=None)
                with contextlib.closing(connection):
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.executescript(SQLITE)
                    set_meta(connection, **values)
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    connection.execute(f"PRAGMA user_version = {VERSION}")
                _put_in_place(part, self.file)

    def check(self) -> None:
        """Raise StoreError for what is no index, or one of another version."""
        if not self.file.is_file():
            raise StoreError(f"{self._folder}: holds no index; make one with `numpyclip index FOLDER`.")
        with self.reading() as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise StoreError(f"{self.file}: is a database of another program; expected an index of NumPyCLIP.")
        if version != VERSION:
            raise StoreError(f"{self.file}: is an index of version {version}; expected {VERSION}: update NumPyCLIP.")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock for writing; StoreError if another process holds it."""
        with self.translated(), exclusive(self._folder / ".writing", wait=False) as alone:
            if not alone:
                if not os.access(self._folder, os.W_OK):
                    raise StoreError(f"{self._folder}: cannot be written; expected a folder of yours.")
                raise StoreError(f"{self._folder}: another process is writing to this index; wait until it is done.")
            connection = self._connect("rw")
            connection.execute("PRAGMA synchronous = NORMAL")
            self._writer, self._writer_thread = connection, threading.get_ident()
            try:
                yield
            finally:
                self._writer = None
                connection.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open a connection that reads one snapshot; the writing thread gets its own connection."""
        with self.translated():
            if self._writer is not None and self._writer_thread == threading.get_ident():
                yield self._writer
                return
            with contextlib.closing(self._connect("rw" if os.access(self.file, os.W_OK) else "ro")) as connection:
                connection.execute("BEGIN")
                yield connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction on the writer's connection."""
        if self._writer is None:
            raise StoreError(f"{self.place}: is changed within `writing` only; open that first.")
        with self.translated():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # of which the first is what matters
                    self._writer.execute("ROLLBACK")
                raise

    def shrink(self) -> None:
        """Free the disk space of deleted rows."""
        with self.reading() as connection:
            connection.execute("VACUUM")

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Raise errors of SQLite and of files as StoreError."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.file}: {error}. What the index held before is still there.") from error
        except OSError as error:
            if isinstance(error, StoreError) or error.errno is None:
                raise
            place = error.filename or self._folder
            raise StoreError(f"{place}: cannot be written ({error.strerror or error}).") from error

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.file.as_uri()}?mode={mode}"
        if mode == "ro" and not self.file.with_name(f"{_NAME}-wal").exists():
            uri += "&immutable=1"  # in a folder that is not ours SQLite could not make the files that it shares
        return sqlite3.connect(uri, uri=True, timeout=_BUSY, isolation_level=None, check_same_thread=False)


def _put_in_place(part: Path, file: Path) -> None:
    """Give a file its name, unless somebody else was faster."""
    try:
        os.link(part, file)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not file.exists():
            part.rename(file)
