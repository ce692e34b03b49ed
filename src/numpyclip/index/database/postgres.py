"""An index in PostgreSQL, for many machines, and more than one disk holds."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from numpyclip.errors import StoreError
from numpyclip.extras import missing
from numpyclip.index.database import RECOVERY, Connection, Damage, Database, InUseError, NoIndexError
from numpyclip.index.database.conditions import conditions
from numpyclip.index.database.schema import (
    APPLICATION_ID,
    POSTGRES,
    POSTGRES_COLUMNS,
    POSTGRES_DROP_VIEWS,
    POSTGRES_KEY_OF_FILES,
    POSTGRES_UPGRADES,
    POSTGRES_VIEWS,
)
from numpyclip.index.database.schema import POSTGRES_VERSION as VERSION
from numpyclip.index.database.sql import number
from numpyclip.index.where import Where

if TYPE_CHECKING:
    import psycopg

_LOG = logging.getLogger(__name__)
_MAKING, _BUILDING = 1, 2  # locks beside the writers', which is a number alone
_IS_THERE = "SELECT WHERE to_regclass('numpyclip.meta') IS NOT NULL"  # a row, or none
_SEARCH_PATH = "SELECT set_config('search_path', 'numpyclip, ' || current_setting('search_path'), false)"
_MAKE = f"""
RESET search_path;
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA IF NOT EXISTS numpyclip;
{_SEARCH_PATH};
{POSTGRES}
INSERT INTO meta VALUES ('version', '{VERSION}');
"""  # the extension to where the user has its own
# A search costs so much on paper that PostgreSQL would compile it, which takes longer than most searches.
_SETTINGS = f"{_SEARCH_PATH}, set_config('jit', 'off', false)"


class PostgresDatabase(Database):
    """See `Database`: the schema ``numpyclip`` of a database, with a connection for each thread.

    Parameters
    ----------
    url : str
        Such as ``postgresql://user@host/database``.
    create : bool, default=False
        Make the tables if they are not there, and the extension ``vector``, if this user may.

    Raises
    ------
    MissingPackageError
        If psycopg is not installed.
    StoreError
        If the server cannot be reached, has no pgvector, or holds no index.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        try:
            import psycopg
        except ImportError as error:
            where = url.partition("@")[2] or url
            raise missing(f"{where}: an index in PostgreSQL needs psycopg", "postgres") from error
        self._psycopg = psycopg
        self._url = url
        self._local = threading.local()
        self._open: list[psycopg.Connection[Any]] = []
        self._writer: psycopg.Connection[Any] | None = None
        try:
            self._prepare(create)
        except BaseException:
            self.close()
            raise

    @property
    def place(self) -> str:
        """Its address, without a password."""
        known = self._psycopg.conninfo.conninfo_to_dict(self._url)
        host, port = known.get("host", ""), known.get("port")
        return f"postgresql://{host}{f':{port}' if port else ''}/{known.get('dbname', '')}"

    @contextlib.contextmanager
    def writing(self, *, shared: bool = False) -> Iterator[None]:
        """Hold the lock for writing, which is released with the connection."""
        with self._translated():
            connection = self._connection()
            if shared:
                self._prepare_to_share(connection)
            with self._locked(connection, "_shared" if shared else "", APPLICATION_ID) as is_locked:
                if self._writer is not None or not is_locked:
                    raise InUseError(
                        f"{self.place}: another process is writing to this index, or building its graph; "
                        "wait until it is done."
                    )
                self._writer = connection
                try:
                    self._upgrade()
                    yield
                finally:
                    self._writer = None

    @contextlib.contextmanager
    def marking(self) -> Iterator[_Statements]:
        """Open a transaction on this thread's connection."""
        with self._translated():
            connection = self._connection()
            self._prepare_to_share(connection)
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")  # as of writers
                yield _Statements(connection)

    @contextlib.contextmanager
    def building(self) -> Iterator[_Statements]:
        """Open this thread's connection; each statement is committed by itself, and what the server notes is logged.

        Others may add meanwhile; whoever needs the index alone may not, for both would wait for each other's tables.
        """
        with self._translated():
            connection = self._connection()
            self._prepare_to_share(connection)
            with (
                self._locked(connection, "_shared", APPLICATION_ID) as is_shared,
                self._locked(connection, "", APPLICATION_ID, _BUILDING) as is_locked,
            ):
                if not (is_shared and is_locked):
                    doing = "building a graph" if is_shared else "writing to this index"
                    raise StoreError(f"{self.place}: another process is {doing}; wait until it is done.")
                connection.add_notice_handler(_note)
                limits = ["statement_timeout"]  # a server may have them, and a graph takes hours
                if connection.info.server_version >= 170000:
                    limits.append("transaction_timeout")
                for limit in limits:
                    connection.execute(f"SET {limit} = 0")
                try:
                    yield _Statements(connection)
                except self._psycopg.errors.InsufficientPrivilege as error:
                    reason = str(error).strip()
                    raise StoreError(f"{self.place}: {reason}. Whoever made the index builds its graph.") from error
                finally:
                    connection.remove_notice_handler(_note)
                    with contextlib.suppress(self._psycopg.Error):  # the server is gone
                        for limit in limits:
                            connection.execute(f"RESET {limit}")

    @contextlib.contextmanager
    def reading(self) -> Iterator[_Statements]:
        """Open a transaction that reads one snapshot, on this thread's connection."""
        with self._translated():
            connection = self._connection()
            if self._local.has_views and self._version(connection) == VERSION:  # another process has upgraded it
                self._drop_views(connection)
            with connection.transaction():
                yield _Statements(connection)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[_Statements]:
        """Open a transaction on the writer's connection."""
        if self._writer is None:
            raise StoreError(f"{self.place}: is changed outside of `Store.writing`; expected `with store.writing():`.")
        with self._translated(), self._writer.transaction():
            # Each statement sees what other writers have committed, for instance an image that both have found.
            self._writer.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            yield _Statements(self._writer)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._local = threading.local()

    def _prepare(self, create: bool) -> None:
        with self._translated():
            connection = self._connect()
            if not connection.execute(_IS_THERE).rowcount:
                if not create:
                    raise NoIndexError(self.place, " --store ...")
                # Of several that make one at the same time, the others wait; PostgreSQL's IF NOT EXISTS does not.
                connection.execute(f"SELECT pg_advisory_lock({APPLICATION_ID}, {_MAKING})")
                if not connection.execute(_IS_THERE).rowcount:
                    connection.execute(_MAKE)
                connection.execute(f"SELECT pg_advisory_unlock({APPLICATION_ID}, {_MAKING})")
            if (version := self._version(connection)) > VERSION:
                raise StoreError(f"{self.place}: is an index of version {version}, not {VERSION}: update NumPyCLIP.")
            self._make_views(connection)

    @contextlib.contextmanager
    def _locked(self, connection: psycopg.Connection[Any], kind: str, *key: int) -> Iterator[bool]:
        """Try to hold an advisory lock, of the kind "_shared" or of none."""
        place = f"{kind}({', '.join(map(str, key))})"
        is_locked = connection.execute(f"SELECT WHERE pg_try_advisory_lock{place}").rowcount == 1  # a row, or none
        try:
            yield is_locked
        finally:
            if is_locked:
                with contextlib.suppress(self._psycopg.Error):  # the server is gone, and the lock with it
                    connection.execute(f"SELECT pg_advisory_unlock{place}")

    def _prepare_to_share(self, connection: psycopg.Connection[Any]) -> None:
        """Upgrade an index of an earlier version, which needs it alone."""
        if self._version(connection) < VERSION:
            with self.writing():
                pass

    def _upgrade(self) -> None:
        """Bring an index of an earlier version up to date."""
        connection = self._connection()
        if (version := self._version(connection)) < VERSION:
            with connection.transaction():
                self._drop_views(connection)
                for statement in POSTGRES_UPGRADES[version]:
                    connection.execute(statement)

    def _version(self, connection: psycopg.Connection[Any]) -> int:
        return number(_Statements(connection), "version") or VERSION

    def _make_views(self, connection: psycopg.Connection[Any]) -> None:
        """Have this connection read an index of an earlier version as if it were one of this."""
        if self._version(connection) < VERSION:
            connection.execute(POSTGRES_VIEWS)
            self._local.has_views = True

    def _drop_views(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(POSTGRES_DROP_VIEWS)
        self._local.has_views = False

    def _connection(self) -> psycopg.Connection[Any]:
        """Return this thread's connection."""
        found: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if found is None or found.closed:
            found = self._connect()
            self._make_views(found)
        return found

    def _connect(self) -> psycopg.Connection[Any]:
        # No prepared statements: their plans would not outlive the upgrade of an index by another process.
        connection = self._psycopg.connect(self._url, autocommit=True, prepare_threshold=None)
        self._open.append(connection)
        connection.isolation_level = self._psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute(_SETTINGS)
        self._local.connection, self._local.has_views = connection, False
        return connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Damage as error:
            raise StoreError(f"{self.place}: {error}. {RECOVERY}") from error
        except self._psycopg.Error as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            end = "" if reason.endswith((".", "?")) else "."  # libpq asks whether the server is running
            raise StoreError(f"{self.place}: {reason}{end} What the index held before is still there.") from error


class _Statements(Connection):
    """A connection that takes statements as SQLite does."""

    key_of_files = POSTGRES_KEY_OF_FILES

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> psycopg.Cursor[Any]:
        """Run a statement."""
        return self._connection.execute(sql.replace("?", "%s"), values)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Run a statement once for each row of values."""
        with self._connection.cursor() as cursor:
            cursor.executemany(sql.replace("?", "%s"), rows)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], conflict: str, /) -> None:
        """Add rows in one statement, for each takes its time to the server and back.

        A writer waits for another that adds the same row. So that two never wait for each other, all add rows in one
        order, that of the first two columns.
        """
        if rows:
            types = POSTGRES_COLUMNS[table]
            arrays = ", ".join(f"?::{types[column]}[]" for column in columns)
            values = zip(*sorted(rows, key=lambda row: tuple(row[:2])), strict=True)
            sql = f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays}) ON CONFLICT {conflict}"
            self.execute(sql, [list(column) for column in values])

    def estimate(self, where: Where, /) -> int:
        """Ask the planner, which has statistics of dates and of the beginnings of folders."""
        condition, values = conditions(self, where, about=True)
        row: Any = self.execute(f"EXPLAIN (FORMAT JSON) SELECT FROM files WHERE {condition}", values).fetchone()
        return int(row[0][0]["Plan"]["Plan Rows"])

    def lock(self, table: str, ids: Sequence[int], /) -> None:
        """Lock rows in their order, so that two writers never wait for each other."""
        self.execute(f"SELECT FROM {table} WHERE id = ANY(?) ORDER BY id FOR NO KEY UPDATE", [list(ids)])

    def copy(self, table: str, rows: bytes, /) -> None:
        """Add rows."""
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(rows)


def _note(notice: psycopg.errors.Diagnostic) -> None:
    """Log what pgvector notes, such as that it has too little memory to build a graph fast."""
    if (notice.message_primary or "").startswith("hnsw"):
        _LOG.warning("%s. %s", notice.message_primary, notice.message_hint)
