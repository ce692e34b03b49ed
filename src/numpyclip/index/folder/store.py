"""An index in a folder: SQLite for everything but the embeddings, which lie beside it in shards.

The database tells which rows of the shards count. Rows are on disk before the transaction that names them is committed,
so that after any crash both agree.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numpyclip.errors import InputError, StoreError
from numpyclip.images.find import FileState
from numpyclip.index.conditions import below, local_time
from numpyclip.index.folder import graph
from numpyclip.index.folder.database import Database, meta, set_meta
from numpyclip.index.folder.graph import Graph, Recall
from numpyclip.index.folder.search import Search, allowed_rows, files_of, match_of
from numpyclip.index.folder.shards import PRECISIONS, Precision, Shards
from numpyclip.index.records import EVERYWHERE, Changes, Counts, Filed, Match, Side, Where
from numpyclip.model.fingerprint import Fingerprint
from numpyclip.model.ops import Array

_COPIED = 1 << 14  # embeddings at once


class FolderStore:
    """See `Store`, which says what each method does.

    Parameters
    ----------
    folder : path
        Of the index; not that of the pictures.
    create : bool, default=False
        Make it if it is not there.
    precision : {"float32", "float16", "int8"}, optional
        In which searches read the embeddings first; the results are the same. If the index is there, it must be its.

    Raises
    ------
    StoreError
        If there is no index, or none that this version can read.
    InputError
        If its precision is another.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, create: bool = False, precision: Precision | None = None
    ) -> None:
        self._folder = Path(folder).absolute()
        self._database = Database(self._folder)
        self._opened_graph: tuple[tuple[tuple[int, Path], ...], Graph | None] | None = None
        if precision is not None and precision not in PRECISIONS:
            raise InputError(f"precision is {precision!r:.60}; expected one of {', '.join(PRECISIONS)}.")
        if create:
            self._database.create(precision=precision or "float32")
        self._database.check()
        with self._database.reading() as database:
            found: Precision = meta(database, "precision") or "float32"  # type: ignore[assignment]
        if precision not in (None, found):
            raise InputError(f"{self._folder}: this index is of precision {found}, not {precision}; leave it out.")
        self._precision = found

    @property
    def place(self) -> str:
        """Its folder."""
        return os.fspath(self._folder)

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Of the model whose embeddings it holds."""
        with self._database.reading() as database:
            text = meta(database, "fingerprint")
        return None if text is None else Fingerprint.from_json(text)

    @property
    def model_name(self) -> str | None:
        """How the model is found again."""
        with self._database.reading() as database:
            return meta(database, f"model {meta(database, 'fingerprint')}")

    def remember_model(self, fingerprint: Fingerprint, name: str) -> None:
        """Remember how the model with a fingerprint is found again."""
        with self._database.transaction() as database:
            set_meta(database, **{f"model {fingerprint.to_json()}": name})

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only one who writes."""
        with self._database.writing() as database:
            self._remove_old_generations(database)
            yield

    def begin(self, fingerprint: Fingerprint, embed_dim: int) -> None:
        """Settle whose embeddings an empty store will hold."""
        with self._database.transaction() as database:
            set_meta(database, fingerprint=fingerprint.to_json(), embed_dim=str(embed_dim), generation="1")

    def folders(self) -> dict[str, tuple[str, ...]]:
        """Return folders that are indexed, with the patterns of what is ignored in each."""
        with self._database.reading() as database:
            rows = database.execute("SELECT path, ignored FROM folders ORDER BY path").fetchall()
        return {os.fsdecode(path): tuple(json.loads(ignored)) for path, ignored in rows}

    def set_folder(self, folder: str, ignore: Sequence[str]) -> None:
        """Remember a folder."""
        with self._database.transaction() as database:
            row = (os.fsencode(folder), json.dumps(list(ignore)))
            database.execute("INSERT OR REPLACE INTO folders VALUES (?, ?)", row)

    def forget_folder(self, folder: str) -> int:
        """Forget a folder and all files below it."""
        condition, values = below(folder)
        with self._database.transaction() as database:
            path = condition.replace("directory", "path")
            database.execute(f"DELETE FROM folders WHERE {path}", values)
            return database.execute(f"DELETE FROM files WHERE {condition}", values).rowcount

    def directories(self, folder: str) -> list[str]:
        """List the folder and those below it in which there are files."""
        condition, values = below(folder)
        with self._database.reading() as database:
            rows = database.execute(f"SELECT DISTINCT directory FROM files WHERE {condition}", values).fetchall()
        return [os.fsdecode(directory) for (directory,) in rows]

    def files(self, directory: str) -> dict[str, FileState]:
        """Return files directly in a folder, by name."""
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT name, size, mtime_ns FROM files WHERE directory = ?", (os.fsencode(directory),)
            ).fetchall()
        return {os.fsdecode(name): FileState(size, mtime) for name, size, mtime in rows}

    def knows(self, digest: bytes) -> bool:
        """Tell whether a picture with this content has an embedding."""
        with self._database.reading() as database:
            return database.execute("SELECT 1 FROM pictures WHERE digest = ?", (digest,)).fetchone() is not None

    def embeddings_of(self, keys: Sequence[bytes | tuple[str, FileState]]) -> list[Array | None]:
        """Look up embeddings of pictures by their content, or by the path and state of a file."""
        with self._database.reading() as database:
            database.execute("BEGIN")
            if not (generation := _generation(database)):
                return [None] * len(keys)
            rows = [_row_of(database, generation, key) for key in keys]
            found = np.array([row for row in rows if row is not None], np.intp)
            count = _next_row(database, generation, "pictures")
            embeddings = iter(self._shards(database, generation, "pictures").take(found, count))
            return [None if row is None else next(embeddings) for row in rows]

    def write(self, changes: Changes) -> None:
        """Do one step, as a whole."""
        new = list(changes.pictures.items())
        with self._database.transaction() as database:
            embeddings = np.stack([picture.embedding for _, picture in new]) if new else None
            numbers = []
            for digest, picture in new:
                shown = picture.details
                row = (digest, shown.width, shown.height, shown.taken, shown.latitude, shown.longitude)
                sql = (
                    "INSERT INTO pictures (digest, width, height, taken, latitude, longitude) VALUES (?, ?, ?, ?, ?, ?)"
                )
                numbers.append(database.execute(sql, row).lastrowid)
            if embeddings is not None:
                self._add_vectors(database, _generation(database), "pictures", numbers, embeddings)
            for path in changes.forgotten:
                directory, name = os.path.split(path)
                row_of_file = (os.fsencode(directory), os.fsencode(name))
                database.execute("DELETE FROM files WHERE directory = ? AND name = ?", row_of_file)
            for filed in changes.filed:
                _put_file(database, filed)

    def write_texts(self, texts: Sequence[str], embeddings: Array) -> None:
        """Add texts; those that are there stay as they are."""
        with self._database.transaction() as database:
            numbers, rows = [], []
            for row, text in enumerate(texts):
                cursor = database.execute("INSERT OR IGNORE INTO texts (text) VALUES (?)", (text,))
                if cursor.rowcount:
                    numbers.append(cursor.lastrowid)
                    rows.append(row)
            if rows:
                self._add_vectors(database, _generation(database), "texts", numbers, embeddings[rows])

    def unknown_texts(self, texts: Sequence[str]) -> list[str]:
        """Of these texts, return those that are not there, each once."""
        with self._database.reading() as database:
            sql = "SELECT 1 FROM texts WHERE text = ?"
            return [text for text in dict.fromkeys(texts) if database.execute(sql, (text,)).fetchone() is None]

    def counts(self) -> Counts:
        """Count what is there."""
        with self._database.reading() as database:
            files, pictures = database.execute("SELECT count(picture), count(DISTINCT picture) FROM files").fetchone()
            (texts,) = database.execute("SELECT count(*) FROM texts").fetchone()
            (unreadable,) = database.execute("SELECT count(*) FROM files WHERE picture IS NULL").fetchone()
        return Counts(files, pictures, texts, unreadable)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Iterate over files that cannot be read, and why."""
        with self._database.reading() as database:
            rows = database.execute("SELECT directory, name, problem FROM files WHERE picture IS NULL").fetchall()
        for directory, name, problem in rows:
            yield os.path.join(os.fsdecode(directory), os.fsdecode(name)), problem  # noqa: PTH118

    def search(self, side: Side, queries: Array, n: int, where: Where) -> list[list[Match]]:
        """Find for each query (m, e) the nearest; exact."""
        with self._database.reading() as database:
            database.execute("BEGIN")  # one state of the index for all that follows
            generation, count = _generation(database), 0
            if generation:
                count = _next_row(database, generation, side)
            if not count:
                return [[] for _ in queries]
            allowed = allowed_rows(database, generation, count, where) if side == "pictures" else None
            shards = self._shards(database, generation, side)
            of_pictures = self._graph(generation) if side == "pictures" else None
            return Search(database, shards, generation, side, count, where, allowed, of_pictures).matches(queries, n)

    def picture(self, number: int) -> Match | None:
        """Return a picture by its number."""
        with self._database.reading() as database:
            database.execute("BEGIN")
            generation = _generation(database)
            sql = "SELECT row FROM vectors WHERE generation = ? AND side = 'pictures' AND item = ?"
            row = database.execute(sql, (generation, number)).fetchone()
            if row is None:
                return None
            count = _next_row(database, generation, "pictures")
            embedding = self._shards(database, generation, "pictures").take(np.array(row, np.intp), count)[0]
            return match_of(database, "pictures", number, 1.0, embedding, EVERYWHERE)

    def build_graph(self, watch: Callable[[Iterator[int]], Iterable[int]] = iter) -> Recall:
        """Build a graph of all pictures, which searches then use: faster, and not quite exact (see `graph.Graph`).

        Parameters
        ----------
        watch : callable, optional
            Is given the numbers of pictures that are added, step by step, and what it returns is gone through.

        Returns
        -------
        Recall
            The share of what a scan finds that the graph finds.
        """
        with self._database.reading() as database:
            generation = _generation(database)
            count = _next_row(database, generation, "pictures") if generation else 0
            if not count:
                raise StoreError(f"{self._folder}: holds no pictures yet; there is nothing to build a graph of.")
            shards = self._shards(database, generation, "pictures")
        built = self._folder / graph.name(generation, "pictures", count)
        with self._database.translated():
            _, recall = graph.build(shards, count, built, watch)
        for _, file in graph.graphs(self._folder, generation, "pictures"):
            if file != built:
                file.unlink(missing_ok=True)
        return recall

    def remove_graph(self) -> bool:
        """Remove the graph; say whether there was one."""
        files = list(self._folder.glob("*.usearch"))
        with self._database.translated():
            for file in files:
                file.unlink(missing_ok=True)
        return bool(files)

    def everything(self, side: Side) -> Iterator[Match]:
        """Iterate over all pictures, or texts, in the order of their numbers."""
        last = -1
        while True:
            with self._database.reading() as database:
                database.execute("BEGIN")
                generation = _generation(database)
                sql = (
                    "SELECT item, row FROM vectors WHERE generation = ? AND side = ? AND item > ? ORDER BY item LIMIT ?"
                )
                found = database.execute(sql, (generation, side, last, _COPIED)).fetchall()
                if not found:
                    return
                items, rows = zip(*found, strict=True)
                count = _next_row(database, generation, side)
                embeddings = self._shards(database, generation, side).take(np.array(rows, np.intp), count)
                matches = [
                    match_of(database, side, item, 1.0, embedding, EVERYWHERE)
                    for item, embedding in zip(items, embeddings, strict=True)
                ]
            yield from (match for match in matches if match is not None)
            last = items[-1]

    def start_migration(self, fingerprint: Fingerprint, embed_dim: int) -> None:
        """Begin, or go on, to collect embeddings of another model beside those that are searched."""
        with self._database.transaction() as database:
            if meta(database, "next_fingerprint") != fingerprint.to_json():
                database.execute("DELETE FROM vectors WHERE generation = ?", (_generation(database) + 1,))
                set_meta(database, next_fingerprint=fingerprint.to_json(), next_embed_dim=str(embed_dim))

    def pending_pictures(self, n: int) -> list[tuple[int, bytes, list[str]]]:
        """Return some pictures that have no embedding of the other model yet."""
        with self._database.reading() as database:
            sql = (
                "SELECT id, digest FROM pictures WHERE id NOT IN "
                "(SELECT item FROM vectors WHERE generation = ? AND side = 'pictures') LIMIT ?"
            )
            rows = database.execute(sql, (_generation(database) + 1, n)).fetchall()
            return [(number, digest, [path for path, _ in files_of(database, number)]) for number, digest in rows]

    def pending_texts(self, n: int) -> list[tuple[int, str]]:
        """Return some texts that have no embedding of the other model yet."""
        with self._database.reading() as database:
            sql = (
                "SELECT id, text FROM texts WHERE id NOT IN "
                "(SELECT item FROM vectors WHERE generation = ? AND side = 'texts') LIMIT ?"
            )
            return database.execute(sql, (_generation(database) + 1, n)).fetchall()

    def write_migrated(self, side: Side, numbers: Sequence[int], embeddings: Array) -> None:
        """Add embeddings of the other model."""
        with self._database.transaction() as database:
            self._add_vectors(database, _generation(database) + 1, side, numbers, embeddings)

    def drop_pictures(self, numbers: Sequence[int]) -> None:
        """Forget pictures whose files cannot be read any more."""
        with self._database.transaction() as database:
            for number in numbers:
                database.execute("DELETE FROM files WHERE picture = ?", (number,))
                database.execute("DELETE FROM vectors WHERE side = 'pictures' AND item = ?", (number,))
                database.execute("DELETE FROM pictures WHERE id = ?", (number,))

    def finish_migration(self) -> None:
        """Search by the other model's embeddings from now on, and drop the others."""
        with self._database.transaction() as database:
            old = _generation(database)
            fingerprint, embed_dim = meta(database, "next_fingerprint"), meta(database, "next_embed_dim")
            assert fingerprint is not None and embed_dim is not None
            set_meta(database, fingerprint=fingerprint, embed_dim=embed_dim, generation=str(old + 1))
            database.execute("DELETE FROM meta WHERE key LIKE 'next!_%' ESCAPE '!'")
            database.execute("DELETE FROM vectors WHERE generation <= ?", (old,))
        with self._database.reading() as database:
            self._remove_old_generations(database)

    def compact(self) -> int:
        """Drop pictures of which there is no file any more: all that is left is written anew."""
        with self._database.transaction() as database:
            if meta(database, "next_fingerprint") is not None:
                raise StoreError(f"{self._folder}: a migration is under way; finish it first: index --migrate.")
            orphans = "NOT IN (SELECT picture FROM files WHERE picture IS NOT NULL)"
            database.execute(f"DELETE FROM vectors WHERE side = 'pictures' AND item {orphans}")
            dropped = database.execute(f"DELETE FROM pictures WHERE id {orphans}").rowcount
            if not (old := _generation(database)):
                return 0
            counts = {side: _next_row(database, old, side) for side in ("pictures", "texts")}
            for side, count in counts.items():
                self._copy_vectors(database, old, side, count)  # type: ignore[arg-type]
            database.execute("DELETE FROM vectors WHERE generation <= ?", (old,))
            set_meta(database, generation=str(old + 1))
        with self._database.reading() as database:
            self._remove_old_generations(database)
            database.execute("VACUUM")
        return dropped

    def close(self) -> None:
        """Let go of it: nothing is held between calls."""

    def _graph(self, generation: int) -> Graph | None:
        """Open the graph once, and again when there is another one."""
        files = tuple(sorted(graph.graphs(self._folder, generation, "pictures")))
        if self._opened_graph is None or self._opened_graph[0] != files:
            self._opened_graph = files, graph.opened(self._folder, generation, "pictures")
        return self._opened_graph[1]

    def _shards(self, database: sqlite3.Connection, generation: int, side: Side) -> Shards:
        next_dim = meta(database, "next_embed_dim") if generation > _generation(database) else None
        embed_dim = next_dim or meta(database, "embed_dim")
        assert embed_dim is not None
        return Shards(self._folder / f"{side}-{generation}", int(embed_dim), self._precision)

    def _add_vectors(
        self, database: sqlite3.Connection, generation: int, side: Side, numbers: Sequence[Any], embeddings: Array
    ) -> None:
        start = _next_row(database, generation, side)
        self._shards(database, generation, side).write(start, embeddings)
        rows = [(generation, side, start + i, number) for i, number in enumerate(numbers)]
        database.executemany("INSERT INTO vectors VALUES (?, ?, ?, ?)", rows)

    def _copy_vectors(self, database: sqlite3.Connection, old: int, side: Side, count: int) -> None:
        """Copy the embeddings that are left to the next generation, some at a time."""
        sql = "SELECT row, item FROM vectors WHERE generation = ? AND side = ? ORDER BY row"
        rows = database.execute(sql, (old, side)).fetchall()
        shards = self._shards(database, old, side)
        for start in range(0, len(rows), _COPIED):
            numbers, items = zip(*rows[start : start + _COPIED], strict=True)
            self._add_vectors(database, old + 1, side, items, shards.take(np.array(numbers, np.intp), count))

    def _remove_old_generations(self, database: sqlite3.Connection) -> None:
        """Remove shards that nobody will read any more, of this process or of one that was killed."""
        generation = _generation(database)
        for folder in self._folder.glob("*-[0-9]*"):
            side, _, number = folder.name.rpartition("-")
            if side in ("pictures", "texts") and number.isdecimal() and int(number) < generation:
                shutil.rmtree(folder, ignore_errors=True)  # on Windows a reader may hold it: the next time, then
        for old in range(1, generation):
            for _, file in graph.graphs(self._folder, old, "pictures"):
                with contextlib.suppress(OSError):
                    file.unlink()


def _generation(database: sqlite3.Connection) -> int:
    """Return the generation that is searched; 0 before the first."""
    return int(meta(database, "generation") or 0)


def _next_row(database: sqlite3.Connection, generation: int, side: Side) -> int:
    sql = "SELECT row FROM vectors WHERE generation = ? AND side = ? ORDER BY row DESC LIMIT 1"
    row = database.execute(sql, (generation, side)).fetchone()
    return 0 if row is None else int(row[0]) + 1


def _row_of(database: sqlite3.Connection, generation: int, key: bytes | tuple[str, FileState]) -> int | None:
    """Return the row of a picture's embedding, if there is one."""
    sql = "SELECT row FROM {} JOIN vectors ON item = {} AND generation = ? AND side = 'pictures' WHERE {}"
    if isinstance(key, bytes):
        row = database.execute(sql.format("pictures", "id", "digest = ?"), (generation, key)).fetchone()
    else:
        (directory, name), state = map(os.fsencode, os.path.split(key[0])), key[1]
        where = "directory = ? AND name = ? AND size = ? AND mtime_ns = ?"
        values = (generation, directory, name, state.size, state.mtime_ns)
        row = database.execute(sql.format("files", "picture", where), values).fetchone()
    return None if row is None else int(row[0])


def _put_file(database: sqlite3.Connection, filed: Filed) -> None:
    picture, taken = None, None
    if filed.problem is None:
        row = database.execute("SELECT id, taken FROM pictures WHERE digest = ?", (filed.digest,)).fetchone()
        picture, taken = row
    directory, name = os.path.split(filed.path)
    date = taken or local_time(filed.state.mtime_ns)
    values = (os.fsencode(directory), os.fsencode(name), filed.state.size, filed.state.mtime_ns, date)
    sql = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)"
    database.execute(sql, (*values, picture, filed.problem))
