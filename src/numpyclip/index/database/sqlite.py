"""An index in a folder: its SQLite database."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from numpyclip.atomic import temporary_path
from numpyclip.errors import StoreError
from numpyclip.index import file_checksum
from numpyclip.index.database import RECOVERY, Damage, Database, InUseError, NoIndexError
from numpyclip.index.database.schema import APPLICATION_ID, SQLITE, SQLITE_UPGRADES, SQLITE_VIEWS, VERSION
from numpyclip.index.database.sql import set_meta
from numpyclip.index.database.sqlite_connection import (
    SQLiteConnection,
    checkpoint,
    connected,
    unsound_pages,
    version_of,
)
from numpyclip.lock import exclusive

_NAME = "index.sqlite"
_LOCK, _BUILDING = ".writing", ".building"
_MARKING = ".marking"  # the lock of who writes marks beside a writer, who waits for it before the end
_MOMENT = 0.01  # seconds


class SQLiteDatabase(Database):
    """See `Database`: one file in an absolute folder, read by any number of threads and processes while one writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / _NAME
        self._writer: SQLiteConnection | None = None
        self._writer_thread = 0

    @property
    def place(self) -> str:
        """Its folder."""
        return os.fspath(self._folder)

    def check_empty(self) -> None:
        """Raise StoreError for a folder of other files than those of an index."""
        with self.translated():
            files = self._folder.iterdir() if self._folder.exists() and not self.file.exists() else ()
            if others := [file.name for file in files if not file.name.startswith((".", _NAME))]:
                raise StoreError(
                    f"{self._folder}: is not empty (it holds {others[0]}); expected an index, or an empty or new "
                    "folder for one."
                )

    def create(self, **values: str) -> None:
        """Make one, unless it is there, with some facts about it."""
        if self.file.exists():
            return
        with self.translated():
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._made(lambda connection: set_meta(connection, **values)) as part:
                _put_in_place(part, self.file)

    def replace(self, fill: Callable[[SQLiteConnection], object]) -> str | None:
        """Put a new one, with what `fill` writes, in the place of this; return the name by which that is kept."""
        names = (self._folder / f"{_NAME}.damaged{f'-{n}' if n > 1 else ''}" for n in itertools.count(1))
        kept = next(name for name in names if not os.path.lexists(name))
        with self.translated(), self._made(fill) as part:
            for name in (f"{_NAME}-wal", f"{_NAME}-shm"):
                self._folder.joinpath(name).unlink(missing_ok=True)
            self.forget_checksum()
            if self.file.is_file():
                _duplicate(self.file, kept)  # so that there is one at every moment
            elif os.path.lexists(self.file):
                self.file.rename(kept)
            part.replace(self.file)
        return kept.name if os.path.lexists(kept) else None

    @contextlib.contextmanager
    def _made(self, fill: Callable[[SQLiteConnection], object]) -> Iterator[Path]:
        """Make one under a temporary name."""
        with temporary_path(self.file) as part:
            with contextlib.closing(connected(part.as_uri())) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(SQLITE)
                connection.execute("BEGIN")
                fill(connection)
                connection.execute("COMMIT")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            yield part

    def check(self) -> None:
        """Raise StoreError for what is no index, one of another version, or damaged."""
        if not self.file.exists():
            raise NoIndexError(self._folder)
        if damage := self.damage():
            raise StoreError(f"{self.file}: {damage}. {RECOVERY}")
        with self.reading() as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            version = version_of(connection)
        if application != APPLICATION_ID:
            raise StoreError(f"{self.file}: is a database of another program; expected an index of NumPyCLIP.")
        if not 1 <= version <= VERSION:
            raise StoreError(f"{self.file}: is an index of version {version}; expected {VERSION}: update NumPyCLIP.")

    def damage(self) -> str | None:
        """Compare the file with the checksum that its last writer left; without one, have SQLite look at its pages."""
        with self.translated():
            if special := self.special_file():
                return f"{special} is no regular file"
            if not _size(self.file):
                return "is empty"  # for SQLite, a sound database
            if (fits := self.fits_checksum()) is not None:
                return None if fits else "differs from what NumPyCLIP wrote: damaged, or changed by another program"
            with self.reading() as connection:
                return unsound_pages(connection, "quick_check")

    def fits_checksum(self) -> bool | None:
        """Tell whether the file is as its last writer left it; None if that is not known."""
        expected = file_checksum.recorded(self.file)
        if expected is None:
            return None
        has_more = _size(self.file.with_name(f"{_NAME}-wal")) > 0
        if not has_more and file_checksum.checksum(self.file) == expected:
            return True
        return False if file_checksum.recorded(self.file) == expected else None  # else a writer has begun

    def forget_checksum(self) -> None:
        """Remove the checksum, before the file is changed."""
        file_checksum.forget(self.file)

    def special_file(self) -> str | None:
        """Find a file that would block who opens it."""
        for name in (
            _NAME,
            f"{_NAME}-wal",
            f"{_NAME}-shm",
            f"{_NAME}{file_checksum.SUFFIX}",
            _LOCK,
            _BUILDING,
            _MARKING,
        ):
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISREG((self._folder / name).stat().st_mode):
                    return name
        return None

    @contextlib.contextmanager
    def alone(self, lock: str = _LOCK, doing: str = "writing to this index") -> Iterator[None]:
        """Hold a lock; StoreError if another process holds it."""
        with exclusive(self._folder / lock, wait=False) as alone:
            if not alone:
                self._check_writable()
                raise InUseError(f"{self._folder}: another process is {doing}; wait until it is done.")
            yield

    def _check_writable(self) -> None:
        if not os.access(self._folder, os.W_OK):
            raise StoreError(f"{self._folder}: cannot be written; expected a folder of yours.")

    def unmarked(self) -> contextlib.AbstractContextManager[bool]:
        """Wait for who writes marks, and have others wait."""
        return exclusive(self._folder / _MARKING)

    @contextlib.contextmanager
    def writing(self, *, shared: bool = False) -> Iterator[None]:
        """Hold the lock for writing, which is never shared; StoreError if another process holds it."""
        if special := self.special_file():
            raise StoreError(f"{self.file}: {special} is no regular file. {RECOVERY}")
        with self.translated(), self.alone(), self._opened_to_write() as connection:
            self._writer, self._writer_thread = connection, threading.get_ident()
            try:
                yield
            finally:
                self._writer = None

    @contextlib.contextmanager
    def _opened_to_write(self) -> Iterator[SQLiteConnection]:
        """Open a connection of who holds the lock for writing."""
        if damage := self.damage():
            raise StoreError(f"{self.file}: {damage}. {RECOVERY}")
        self.forget_checksum()
        connection = self._connect("rw")
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            with _transaction(connection):
                for statement in SQLITE_UPGRADES.get(version_of(connection), ()):
                    connection.execute(statement)
            yield connection
        finally:
            with self.unmarked():
                is_whole = checkpoint(connection)
                connection.close()
                if is_whole:
                    file_checksum.record(self.file)

    @contextlib.contextmanager
    def marking(self) -> Iterator[SQLiteConnection]:
        """Open a short transaction on the table `marks`, beside that of a writer if there is one.

        A writer leaves the checksum of the file at its end, which has to be that of what is written beside it, too.
        """
        if special := self.special_file():
            raise StoreError(f"{self.file}: {special} is no regular file. {RECOVERY}")
        if self._writer is not None and self._writer_thread == threading.get_ident():
            with self.transaction() as connection:
                yield connection
            return
        with self.translated(), contextlib.ExitStack() as opened:
            while True:
                if opened.enter_context(exclusive(self._folder / _LOCK, wait=False)):
                    connection = opened.enter_context(self._opened_to_write())
                    break
                self._check_writable()
                opened.enter_context(self.unmarked())
                connection = opened.enter_context(contextlib.closing(self._connect("rw")))
                if file_checksum.recorded(self.file) is None and version_of(connection) == VERSION:
                    break
                opened.close()  # the writer has just begun or ended
                time.sleep(_MOMENT)
            yield opened.enter_context(_transaction(connection))

    @contextlib.contextmanager
    def building(self) -> Iterator[SQLiteConnection]:
        """Open a connection outside of a transaction: in one that takes hours no writer could shorten the log."""
        with self.alone(_BUILDING, "building a graph"), self._opened() as connection:
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[SQLiteConnection]:
        """Open a connection that reads one snapshot; the writing thread gets its own connection."""
        with self._opened() as connection:
            if connection is not self._writer:
                connection.execute("BEGIN")
            yield connection

    @contextlib.contextmanager
    def _opened(self) -> Iterator[SQLiteConnection]:
        with self.translated():
            if self._writer is not None and self._writer_thread == threading.get_ident():
                yield self._writer
                return
            with contextlib.closing(self._connect("rw" if os.access(self.file, os.W_OK) else "ro")) as connection:
                with contextlib.suppress(sqlite3.DatabaseError):  # a damaged file, as who reads it will notice
                    if 1 <= version_of(connection) < VERSION:
                        connection.executescript(SQLITE_VIEWS)
                yield connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[SQLiteConnection]:
        """Open a transaction on the writer's connection."""
        if self._writer is None:
            raise StoreError(f"{self.place}: is changed outside of `Store.writing`; expected `with store.writing():`.")
        with self.translated(), _transaction(self._writer) as connection:
            yield connection

    def shrink(self) -> None:
        """Free the disk space of deleted rows."""
        with self.reading() as connection:
            connection.execute("VACUUM")

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Raise errors of SQLite and of files as StoreError."""
        try:
            yield
        except Damage as error:
            raise StoreError(f"{self.file}: {error}. {RECOVERY}") from error
        except sqlite3.DatabaseError as error:
            if type(error) is sqlite3.DatabaseError:
                raise StoreError(f"{self.file}: {error}. {RECOVERY}") from error
            raise StoreError(f"{self.file}: {error}. What the index held before is still there.") from error
        except OSError as error:
            if isinstance(error, StoreError) or error.errno is None:
                raise
            place = error.filename or self._folder
            raise StoreError(f"{place}: cannot be written ({error.strerror or error}).") from error

    def _connect(self, mode: str) -> SQLiteConnection:
        uri = f"{self.file.as_uri()}?mode={mode}"
        if mode == "ro" and not self.file.with_name(f"{_NAME}-wal").exists():
            uri += "&immutable=1"  # in a folder that is not ours SQLite could not make the files that it shares
        return connected(uri)


@contextlib.contextmanager
def _transaction(connection: SQLiteConnection) -> Iterator[SQLiteConnection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # of which the first is what matters
            connection.execute("ROLLBACK")
        raise


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _duplicate(file: Path, name: Path) -> None:
    """Give a file another name, or where there are no links, copy it."""
    try:
        os.link(file, name)
    except OSError:
        shutil.copyfile(file, name)


def _put_in_place(part: Path, file: Path) -> None:
    """Give a file its name, unless somebody else was faster."""
    try:
        os.link(part, file)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not file.exists():
            part.rename(file)
