"""An index in PostgreSQL with pgvector: for many machines, and more than one disk holds.

The tables are those of `FolderStore`, in a schema of their own; the embeddings are rows of one, and searched exactly.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from numpyclip.errors import MissingPackageError, StoreError
from numpyclip.images.find import FileState
from numpyclip.index.conditions import below, conditions, local_time
from numpyclip.index.records import EVERYWHERE, Changes, Counts, Details, Filed, Match, Side, Where
from numpyclip.model.fingerprint import Fingerprint
from numpyclip.model.ops import Array

if TYPE_CHECKING:
    import psycopg

_VERSION = 1
_PAGE = 4096  # pictures or texts at once
_WRITER = 0x4E434C50  # number of the lock that the one who writes holds

_SCHEMA = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA IF NOT EXISTS numpyclip;
CREATE TABLE IF NOT EXISTS numpyclip.meta (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS numpyclip.folders (path bytea PRIMARY KEY, ignored text NOT NULL);
CREATE TABLE IF NOT EXISTS numpyclip.pictures (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, digest bytea NOT NULL UNIQUE, width integer NOT NULL,
    height integer NOT NULL, taken text, latitude double precision, longitude double precision
);
CREATE TABLE IF NOT EXISTS numpyclip.files (
    directory bytea NOT NULL, name bytea NOT NULL, size bigint NOT NULL, mtime_ns bigint NOT NULL,
    date text COLLATE "C" NOT NULL, picture bigint REFERENCES numpyclip.pictures, problem text,
    PRIMARY KEY (directory, name)
);
CREATE INDEX IF NOT EXISTS files_of_picture ON numpyclip.files (picture);
CREATE INDEX IF NOT EXISTS files_by_date ON numpyclip.files (date);
CREATE TABLE IF NOT EXISTS numpyclip.texts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS numpyclip.vectors (
    generation integer NOT NULL, side text NOT NULL, item bigint NOT NULL, embedding vector NOT NULL,
    PRIMARY KEY (generation, side, item)
);
"""


class PostgresStore:
    """See `Store`, which says what each method does.

    Parameters
    ----------
    url : str
        Such as ``postgresql://user@host/database``; everything lies in its schema ``numpyclip``.
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
            raise MissingPackageError(
                f"{url.partition('@')[2] or url}: an index in PostgreSQL needs psycopg: "
                'pip install "numpyclip[postgres]".'
            ) from error
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

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Of the model whose embeddings it holds."""
        with self._translated():
            text = self._meta("fingerprint")
        return None if text is None else Fingerprint.from_json(text)

    @property
    def model_name(self) -> str | None:
        """How the model is found again."""
        with self._translated():
            return self._meta(f"model {self._meta('fingerprint')}")

    def remember_model(self, fingerprint: Fingerprint, name: str) -> None:
        """Remember how the model with a fingerprint is found again."""
        with self._transaction():
            self._set_meta(**{f"model {fingerprint.to_json()}": name})

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only one who writes: the lock dies with the connection."""
        with self._translated():
            connection = self._connection()
            if not self._row("SELECT pg_try_advisory_lock(%s) AS taken", (_WRITER,))[0]:
                raise StoreError(f"{self.place}: another process is writing to this index; wait until it is done.")
            self._writer = connection
            try:
                yield
            finally:
                self._writer = None
                with contextlib.suppress(self._psycopg.Error):  # the server is gone, and the lock with it
                    connection.execute("SELECT pg_advisory_unlock(%s)", (_WRITER,))

    def begin(self, fingerprint: Fingerprint, embed_dim: int) -> None:
        """Settle whose embeddings an empty store will hold."""
        with self._transaction():
            self._set_meta(
                version=str(_VERSION), fingerprint=fingerprint.to_json(), embed_dim=str(embed_dim), generation="1"
            )

    def folders(self) -> dict[str, tuple[str, ...]]:
        """Return folders that are indexed, with the patterns of what is ignored in each."""
        rows = self._rows("SELECT path, ignored FROM numpyclip.folders ORDER BY path")
        return {os.fsdecode(path): tuple(json.loads(ignored)) for path, ignored in rows}

    def set_folder(self, folder: str, ignore: Sequence[str]) -> None:
        """Remember a folder."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO numpyclip.folders VALUES (%s, %s) "
                "ON CONFLICT (path) DO UPDATE SET ignored = excluded.ignored",
                (os.fsencode(folder), json.dumps(list(ignore))),
            )

    def forget_folder(self, folder: str) -> int:
        """Forget a folder and all files below it."""
        condition, values = _below(folder)
        with self._transaction() as connection:
            path = condition.replace("directory", "path")
            connection.execute(f"DELETE FROM numpyclip.folders WHERE {path}", values)
            return int(connection.execute(f"DELETE FROM numpyclip.files WHERE {condition}", values).rowcount)

    def directories(self, folder: str) -> list[str]:
        """List the folder and those below it in which there are files."""
        condition, values = _below(folder)
        rows = self._rows(f"SELECT DISTINCT directory FROM numpyclip.files WHERE {condition}", values)
        return [os.fsdecode(directory) for (directory,) in rows]

    def files(self, directory: str) -> dict[str, FileState]:
        """Return files directly in a folder, by name."""
        sql = "SELECT name, size, mtime_ns FROM numpyclip.files WHERE directory = %s"
        rows = self._rows(sql, (os.fsencode(directory),))
        return {os.fsdecode(name): FileState(size, mtime) for name, size, mtime in rows}

    def knows(self, digest: bytes) -> bool:
        """Tell whether a picture with this content has an embedding."""
        return bool(self._rows("SELECT 1 FROM numpyclip.pictures WHERE digest = %s", (digest,)))

    def embeddings_of(self, keys: Sequence[bytes | tuple[str, FileState]]) -> list[Array | None]:
        """Look up embeddings of pictures by their content, or by the path and state of a file."""
        with self._snapshot():
            generation = self._generation()
            return [self._embedding_of(generation, key) for key in keys]

    def _embedding_of(self, generation: int, key: bytes | tuple[str, FileState]) -> Array | None:
        values: tuple[Any, ...] = (key,)
        picture = "SELECT id FROM numpyclip.pictures WHERE digest = %s"
        if not isinstance(key, bytes):
            directory, name = map(os.fsencode, os.path.split(key[0]))
            values = (directory, name, key[1].size, key[1].mtime_ns)
            picture = (
                "SELECT picture FROM numpyclip.files WHERE directory = %s AND name = %s AND size = %s AND mtime_ns = %s"
            )
        rows = self._rows(
            "SELECT embedding::real[] FROM numpyclip.vectors WHERE generation = %s AND side = 'pictures' "
            f"AND item = ({picture})",
            (generation, *values),
        )
        return np.array(rows[0][0], np.float32) if rows else None

    def write(self, changes: Changes) -> None:
        """Do one step, as a whole."""
        with self._transaction() as connection:
            numbers, embeddings = [], []
            for digest, picture in changes.pictures.items():
                shown = picture.details
                sql = (
                    "INSERT INTO numpyclip.pictures (digest, width, height, taken, latitude, longitude) "
                    "VALUES (%s, %s, %s, %s, %s, %s) RETURNING id"
                )
                row = (digest, shown.width, shown.height, shown.taken, shown.latitude, shown.longitude)
                numbers.append(_first(connection.execute(sql, row)))
                embeddings.append(picture.embedding)
            if numbers:
                self._add_vectors(self._generation(), "pictures", numbers, np.stack(embeddings))
            for path in changes.forgotten:
                directory, name = map(os.fsencode, os.path.split(path))
                connection.execute("DELETE FROM numpyclip.files WHERE directory = %s AND name = %s", (directory, name))
            for filed in changes.filed:
                self._put_file(connection, filed)

    def write_texts(self, texts: Sequence[str], embeddings: Array) -> None:
        """Add texts; those that are there stay as they are."""
        with self._transaction() as connection:
            numbers, rows = [], []
            sql = "INSERT INTO numpyclip.texts (text) VALUES (%s) ON CONFLICT DO NOTHING RETURNING id"
            for row, text in enumerate(texts):
                if (found := connection.execute(sql, (text,)).fetchone()) is not None:
                    numbers.append(found[0])
                    rows.append(row)
            if rows:
                self._add_vectors(self._generation(), "texts", numbers, embeddings[rows])

    def unknown_texts(self, texts: Sequence[str]) -> list[str]:
        """Of these texts, return those that are not there, each once."""
        rows = self._rows("SELECT text FROM numpyclip.texts WHERE text = ANY(%s)", (list(texts),))
        known = {text for (text,) in rows}
        return [text for text in dict.fromkeys(texts) if text not in known]

    def counts(self) -> Counts:
        """Count what is there."""
        ((files, pictures, texts, unreadable),) = self._rows(
            "SELECT count(picture), count(DISTINCT picture), (SELECT count(*) FROM numpyclip.texts), "
            "count(*) - count(picture) FROM numpyclip.files"
        )
        return Counts(files, pictures, texts, unreadable)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Iterate over files that cannot be read, and why."""
        sql = "SELECT directory, name, problem FROM numpyclip.files WHERE picture IS NULL ORDER BY directory, name"
        for directory, name, problem in self._rows(sql):
            yield os.path.join(os.fsdecode(directory), os.fsdecode(name)), problem  # noqa: PTH118

    def search(self, side: Side, queries: Array, n: int, where: Where) -> list[list[Match]]:
        """Find for each query (m, e) the nearest; exact: PostgreSQL compares every row."""
        there = ""
        values: list[Any] = []
        if side == "pictures":
            condition, values = _conditions(where)
            there = f"AND EXISTS (SELECT 1 FROM numpyclip.files WHERE picture = item AND {condition})"
        sql = (
            "SELECT item, embedding::real[] FROM numpyclip.vectors WHERE generation = %s AND side = %s "
            f"{there} ORDER BY embedding <#> %s::real[]::vector, item LIMIT %s"
        )
        with self._snapshot():
            generation = self._generation()
            found = []
            for query in queries:
                rows = self._rows(sql, (generation, side, *values, query.tolist(), n))
                found.append([match for row in rows if (match := self._match(side, row, query, where)) is not None])
            return found

    def picture(self, number: int) -> Match | None:
        """Return a picture by its number."""
        sql = (
            "SELECT item, embedding::real[] FROM numpyclip.vectors "
            "WHERE generation = %s AND side = 'pictures' AND item = %s"
        )
        with self._snapshot():
            rows = self._rows(sql, (self._generation(), number))
            return self._match("pictures", rows[0], None, EVERYWHERE) if rows else None

    def everything(self, side: Side) -> Iterator[Match]:
        """Iterate over all pictures, or texts, in the order of their numbers."""
        sql = (
            "SELECT item, embedding::real[] FROM numpyclip.vectors "
            "WHERE generation = %s AND side = %s AND item > %s ORDER BY item LIMIT %s"
        )
        last = -1
        while True:
            with self._snapshot():
                rows = self._rows(sql, (self._generation(), side, last, _PAGE))
                matches = [self._match(side, row, None, EVERYWHERE) for row in rows]
            if not rows:
                return
            yield from (match for match in matches if match is not None)
            last = rows[-1][0]

    def start_migration(self, fingerprint: Fingerprint, embed_dim: int) -> None:
        """Begin, or go on, to collect embeddings of another model beside those that are searched."""
        with self._transaction() as connection:
            if self._meta("next_fingerprint") != fingerprint.to_json():
                connection.execute("DELETE FROM numpyclip.vectors WHERE generation = %s", (self._generation() + 1,))
                self._set_meta(next_fingerprint=fingerprint.to_json(), next_embed_dim=str(embed_dim))

    def pending_pictures(self, n: int) -> list[tuple[int, bytes, list[str]]]:
        """Return some pictures that have no embedding of the other model yet."""
        rows = self._rows(_PENDING.format("digest", "pictures"), (self._generation() + 1, "pictures", n))
        return [(number, digest, [path for path, _ in self._files_of(number)]) for number, digest in rows]

    def pending_texts(self, n: int) -> list[tuple[int, str]]:
        """Return some texts that have no embedding of the other model yet."""
        return self._rows(_PENDING.format("text", "texts"), (self._generation() + 1, "texts", n))

    def write_migrated(self, side: Side, numbers: Sequence[int], embeddings: Array) -> None:
        """Add embeddings of the other model."""
        with self._transaction():
            self._add_vectors(self._generation() + 1, side, numbers, embeddings)

    def drop_pictures(self, numbers: Sequence[int]) -> None:
        """Forget pictures whose files cannot be read any more."""
        with self._transaction() as connection:
            for table, column in (("files", "picture"), ("vectors", "side = 'pictures' AND item"), ("pictures", "id")):
                connection.execute(f"DELETE FROM numpyclip.{table} WHERE {column} = ANY(%s)", (list(numbers),))

    def finish_migration(self) -> None:
        """Search by the other model's embeddings from now on, and drop the others."""
        with self._transaction() as connection:
            old = self._generation()
            fingerprint, embed_dim = self._meta("next_fingerprint"), self._meta("next_embed_dim")
            assert fingerprint is not None and embed_dim is not None
            self._set_meta(fingerprint=fingerprint, embed_dim=embed_dim, generation=str(old + 1))
            connection.execute("DELETE FROM numpyclip.meta WHERE key IN ('next_fingerprint', 'next_embed_dim')")
            connection.execute("DELETE FROM numpyclip.vectors WHERE generation <= %s", (old,))

    def compact(self) -> int:
        """Drop pictures of which there is no file any more."""
        orphans = "NOT EXISTS (SELECT 1 FROM numpyclip.files WHERE picture = {})"
        with self._transaction() as connection:
            connection.execute(f"DELETE FROM numpyclip.vectors WHERE side = 'pictures' AND {orphans.format('item')}")
            return int(connection.execute(f"DELETE FROM numpyclip.pictures WHERE {orphans.format('id')}").rowcount)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._local = threading.local()

    def _prepare(self, create: bool) -> None:
        with self._translated():
            if create:
                self._connection().execute(_SCHEMA)
            elif not self._row("SELECT 1 FROM pg_tables WHERE schemaname = 'numpyclip' AND tablename = 'meta'"):
                raise StoreError(f"{self.place}: holds no index; make one with `numpyclip index FOLDER --store ...`.")
            if (version := self._meta("version") or str(_VERSION)) != str(_VERSION):
                raise StoreError(f"{self.place}: is an index of version {version}, not {_VERSION}: update NumPyCLIP.")

    def _connection(self) -> psycopg.Connection[Any]:
        """Return this thread's connection."""
        found: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if found is None or found.closed:
            found = self._local.connection = self._psycopg.connect(self._url, autocommit=True)
            self._open.append(found)
        return found

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.Error as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise StoreError(f"{self.place}: {reason}. What the index held before is still there.") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[Any]]:
        assert self._writer is not None, "a store is changed within its `writing`"
        with self._translated(), self._writer.transaction():
            yield self._writer

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Look at one state of the index."""
        with self._translated(), self._connection().transaction():
            self._connection().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._translated():
            return list(self._connection().execute(sql, values))

    def _row(self, sql: str, values: Sequence[Any] = ()) -> Any:
        rows = self._rows(sql, values)
        return rows[0] if rows else None

    def _meta(self, key: str) -> str | None:
        row = self._row("SELECT value FROM numpyclip.meta WHERE key = %s", (key,))
        return None if row is None else str(row[0])

    def _set_meta(self, **values: str) -> None:
        sql = "INSERT INTO numpyclip.meta VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        for row in values.items():
            self._connection().execute(sql, row)

    def _generation(self) -> int:
        return int(self._meta("generation") or 0)

    def _add_vectors(self, generation: int, side: Side, numbers: Sequence[int], embeddings: Array) -> None:
        rows = [(generation, side, item, row.tolist()) for item, row in zip(numbers, embeddings, strict=True)]
        sql = "INSERT INTO numpyclip.vectors VALUES (%s, %s, %s, %s::real[]::vector)"
        with self._connection().cursor() as cursor:
            cursor.executemany(sql, rows)

    def _put_file(self, connection: psycopg.Connection[Any], filed: Filed) -> None:
        picture, taken = None, None
        if filed.problem is None:
            sql = "SELECT id, taken FROM numpyclip.pictures WHERE digest = %s"
            picture, taken = connection.execute(sql, (filed.digest,)).fetchone() or (None, None)
        directory, name = map(os.fsencode, os.path.split(filed.path))
        date = taken or local_time(filed.state.mtime_ns)
        values = (directory, name, filed.state.size, filed.state.mtime_ns, date, picture, filed.problem)
        connection.execute(
            "INSERT INTO numpyclip.files VALUES (%s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (directory, name) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, "
            "date = excluded.date, picture = excluded.picture, problem = excluded.problem",
            values,
        )

    def _files_of(self, picture: int, where: Where = EVERYWHERE) -> list[tuple[str, str]]:
        condition, values = _conditions(where)
        sql = (
            f"SELECT directory, name, date FROM numpyclip.files WHERE picture = %s AND {condition} "
            "ORDER BY directory, name"
        )
        rows = self._rows(sql, (picture, *values))
        return [(os.path.join(os.fsdecode(place), os.fsdecode(name)), date) for place, name, date in rows]  # noqa: PTH118

    def _match(self, side: Side, row: tuple[int, list[float]], query: Array | None, where: Where) -> Match | None:
        item, embedding = row[0], np.array(row[1], np.float32)
        cosine = 1.0 if query is None else float(embedding @ query)
        if side == "texts":
            (text,) = self._row("SELECT text FROM numpyclip.texts WHERE id = %s", (item,))
            return Match(item, cosine, embedding, text=text)
        if not (files := self._files_of(item, where)):
            return None
        sql = "SELECT width, height, taken, latitude, longitude FROM numpyclip.pictures WHERE id = %s"
        (path, date), *copies = files
        details = Details(*self._row(sql, (item,)))
        return Match(item, cosine, embedding, path, tuple(copy for copy, _ in copies), date, details)


_PENDING = (
    "SELECT id, {0} FROM numpyclip.{1} WHERE NOT EXISTS "
    "(SELECT 1 FROM numpyclip.vectors WHERE generation = %s AND side = %s AND item = id) ORDER BY id LIMIT %s"
)


def _first(cursor: psycopg.Cursor[Any]) -> int:
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def _below(folder: str) -> tuple[str, list[Any]]:
    condition, values = below(folder)
    return condition.replace("?", "%s"), list(values)


def _conditions(where: Where) -> tuple[str, list[Any]]:
    condition, values = conditions(where)
    return condition.replace("?", "%s"), values
