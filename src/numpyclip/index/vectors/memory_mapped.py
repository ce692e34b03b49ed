"""Embeddings in memory-mapped shards beside an SQLite database, of which `vectors` says what each row is.

Rows are on disk before the transaction that names them is committed, so that both agree after any crash.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from numpyclip.errors import PictureError
from numpyclip.images.find import FileState
from numpyclip.index.database import Connection, Damage
from numpyclip.index.database.conditions import conditions, is_searched
from numpyclip.index.database.sql import (
    MOST_KEYS,
    MOST_VALUES,
    PARTS,
    checked,
    generation,
    have_parts,
    meta,
    number,
    of_keys,
    one_of,
    set_meta,
)
from numpyclip.index.records import MODALITIES, Key, Moment
from numpyclip.index.vectors import MOST_OTHERS, Found, Progress, Recall, Space, Vectors, hnsw
from numpyclip.index.vectors.hnsw import HNSW
from numpyclip.index.vectors.scan import nearest
from numpyclip.index.vectors.shards import Rows, Shards, VectorDType, remove
from numpyclip.index.where import EVERYWHERE, Where
from numpyclip.model.ops import Array
from numpyclip.runtime.chunks import batched

_CHECKSUMS = "row_checksums"  # the key in `meta` of an index whose rows have them
MOST_ROWS = 1 << 31
_COPIED = 1 << 14  # embeddings at once
_FEW = 1000  # images that are listed before a search, however few there are
_OF_ALL = 32  # times as many rows are asked of a scan of all, of which some are not searched: another scan takes longer


class MemoryMappedVectors(Vectors):
    """See `Vectors`; `folder` is that of the index."""

    def __init__(self, folder: Path, precision: VectorDType) -> None:
        self._folder = folder
        self._precision = precision
        self._verified: dict[Path, int] = {}
        self._opened: tuple[list[tuple[Path, FileState | None]], HNSW | None] | None = None

    def add(self, connection: Connection, space: Space, keys: Sequence[Key], embeddings: Array) -> None:
        """Write embeddings behind those that are there, and then name them."""
        start = _next_row(connection, space)
        self._shards(connection, space).write(start, embeddings)
        rows = [(*space, row, *key) for row, key in enumerate(keys, start)]
        connection.executemany("INSERT INTO vectors (generation, side, row, item, part) VALUES (?, ?, ?, ?, ?)", rows)

    def take(self, connection: Connection, space: Space, keys: Iterable[Key]) -> dict[Key, Array]:
        """Look up embeddings; those that are not there are left out."""
        rows: dict[Key, int] = {}
        for some in map(frozenset, batched(keys, MOST_KEYS)):
            condition, values = of_keys(some)
            sql = f"SELECT item, part, row FROM vectors WHERE generation = ? AND side = ? AND {condition}"
            found = (checked(row, int, str, int) for row in connection.execute(sql, (*space, *values)))
            rows.update(((item, part), row) for item, part, row in found if (item, part) in some)
        if not rows:
            return {}
        wanted = np.fromiter(rows.values(), np.intp)
        return dict(zip(rows, self._shards(connection, space).take(wanted, _next_row(connection, space)), strict=True))

    def nearest(self, connection: Connection, space: Space, queries: Array, n: int, where: Where) -> list[list[Found]]:
        """Find for each query the nearest that are searched, asking for more rows where too few of those found are.

        Of each image its nearest part is found.
        """
        if not (count := _next_row(connection, space)):
            return [[] for _ in queries]
        shards = self._shards(connection, space)
        allowed = _allowed_rows(connection, space, count, where)
        graph = self._hnsw(space) if space.modality == "pictures" and where == EVERYWHERE else None
        found: dict[int, list[Found]] = {}
        wanted = n if where == EVERYWHERE or allowed is not None else _OF_ALL * n
        wanted *= PARTS if have_parts(connection) else 1
        unfinished = list(range(len(queries)))
        while unfinished:
            if graph is None:
                best = nearest(shards, count, queries[unfinished], wanted, allowed)
            else:
                best = graph.nearest(shards, count, queries[unfinished], wanted)
            for query, (rows, scores) in zip(unfinished, best, strict=True):
                near = _searched(connection, space, zip(rows.tolist(), scores.tolist(), strict=True), where, n)
                embeddings = shards.take(np.fromiter((part.row for part, *_ in near), np.intp), count)
                found[query] = [
                    Found(part.item, part.score, row, part.name, [Moment(other.name, other.score) for other in others])
                    for (part, *others), row in zip(near, embeddings, strict=True)
                ]
            short = (query for query, (rows, _) in zip(unfinished, best, strict=True) if len(rows) == wanted)
            unfinished = [query for query in short if len(found[query]) < n]
            wanted *= 4
        return [found[query] for query in range(len(queries))]

    def upgrade(self, connection: Connection) -> bool:
        """Write checksums of rows that have none."""
        if meta(connection, _CHECKSUMS) is not None:
            return False
        for space in _spaces(connection):
            self._shards(connection, space).write_checksums(_next_row(connection, space))
        set_meta(connection, **{_CHECKSUMS: "1"})
        return True

    def damaged(self, connection: Connection, space: Space) -> list[int]:
        """List items whose rows are not as they were written, and mend their files."""
        if not (count := _next_row(connection, space)):
            return []
        shards = self._shards(connection, space)
        sound = shards.sound(count)
        shards.mend(sound)
        found = connection.execute("SELECT row, item FROM vectors WHERE generation = ? AND side = ?", space)
        return [item for row, item in (checked(row, int, int) for row in found) if row < 0 or not sound[row]]

    def compact(self, connection: Connection, generation: int) -> None:
        """Copy the embeddings that `vectors` lists to the next generation, which is searched from now on."""
        for modality in MODALITIES:
            space, following = Space(generation, modality), Space(generation + 1, modality)
            sql = "SELECT item, part FROM vectors WHERE generation = ? AND side = ? ORDER BY row"
            for some in batched(connection.execute(sql, space).fetchall(), _COPIED):
                found = self.take(connection, space, some)
                self.add(connection, following, some, np.stack([found[key] for key in some]))
        connection.execute("DELETE FROM vectors WHERE generation <= ?", (generation,))
        set_meta(connection, generation=str(generation + 1))

    def remove_before(self, connection: Connection, generation: int) -> None:
        """Delete shards and HNSW indexes of older generations, also those that a killed process has left."""
        for space in (Space(old, modality) for old in range(1, generation) for modality in MODALITIES):
            shutil.rmtree(self._shard_folder(space), ignore_errors=True)  # on Windows a reader may hold it: later, then
            for file in self._folder.glob(f"{space.modality}-{space.generation}-*.usearch*"):
                with contextlib.suppress(OSError):
                    file.unlink()

    def build_hnsw(self, connection: Connection, space: Space, progress: Progress) -> Recall:
        """Build an HNSW index of all embeddings, which takes the place of the one before."""
        count = _next_row(connection, space)
        return hnsw.build(self._shards(connection, space), count, self._folder, space, progress)

    def has_damaged_hnsw(self, connection: Connection, space: Space) -> bool:
        """Tell whether there is an HNSW index that cannot be used."""
        count = _next_row(connection, space)
        return any(rows > count or not hnsw.is_whole(file) for rows, _, file in hnsw.files(self._folder, space))

    def remove_hnsw(self, connection: Connection) -> bool:
        """Remove it; False if there is none."""
        files = list(self._folder.glob("[!.]*.usearch*"))  # parts of one, too
        for file in files:
            remove(file)
        return bool(files)

    def _hnsw(self, space: Space) -> HNSW | None:
        """Open the HNSW index, again if its file was replaced or changed: one that was cut short is not to be read."""
        files = sorted(hnsw.files(self._folder, space))
        states = [(saved.file, _state(saved.file)) for saved in files]
        if self._opened is None or self._opened[0] != states:
            self._opened = states, hnsw.opened(files)
        return self._opened[1]

    def _shards(self, connection: Connection, space: Space) -> Shards:
        following = number(connection, "next_embed_dim") if space.generation > generation(connection) else None
        if (embed_dim := following or number(connection, "embed_dim")) is None:
            raise Damage("does not record the dimensions of an embedding")
        verified = None if meta(connection, _CHECKSUMS) is None else self._verified
        return Shards(self._shard_folder(space), embed_dim, self._precision, verified)

    def _shard_folder(self, space: Space) -> Path:
        return self._folder / f"{space.modality}-{space.generation}"


def _state(file: Path) -> FileState | None:
    try:
        return FileState.of(file)
    except PictureError:  # it has just been replaced
        return None


class _Near(NamedTuple):
    """A row, and the part of an image or text that it is of."""

    row: int
    score: float
    item: int
    name: str


def _searched(
    connection: Connection, space: Space, near: Iterable[tuple[int, float]], where: Where, n: int
) -> list[list[_Near]]:
    """Leave out rows that are deleted or not searched; give the rows of the first `n` images, as far as they go."""
    condition, values = is_searched(connection, space.modality, where)
    looked_at = PARTS * n if have_parts(connection) else 0  # for others, besides what it takes to find the first
    found: dict[int, list[_Near]] = {}
    for page, some in enumerate(batched(near, MOST_VALUES), start=1):
        sql = (
            "SELECT row, item, part FROM vectors WHERE generation = ? AND side = ? "
            f"AND row {one_of(len(some))} AND {condition}"
        )
        read = connection.execute(sql, (*space, *(row for row, _ in some), *values))
        keys = {row: (item, part) for row, item, part in (checked(row, int, int, str) for row in read)}
        for row, score in some:
            if row in keys and (keys[row][0] in found or len(found) < n):
                parts = found.setdefault(keys[row][0], [])
                if len(parts) <= MOST_OTHERS:
                    parts.append(_Near(row, score, *keys[row]))
        if len(found) == n and page * MOST_VALUES >= looked_at:
            break
    return list(found.values())


def _allowed_rows(connection: Connection, space: Space, count: int, where: Where) -> Rows | None:
    """Return the rows of the images that are searched, in order; None if all are, or too many to be listed."""
    if where == EVERYWHERE:
        return None
    condition, values = conditions(connection, where)
    sql = (
        "SELECT row FROM files CROSS JOIN vectors ON item = picture AND generation = ? AND side = ? "
        f"WHERE {condition} LIMIT ?"
    )
    most = max(_FEW, count // 20)
    found = (checked(row, int) for row in connection.execute(sql, (*space, *values, most + 1)))
    rows = np.fromiter((row for (row,) in found), np.intp)
    return None if len(rows) > most else np.unique(rows)  # copies have the same ones


def _next_row(connection: Connection, space: Space) -> int:
    sql = "SELECT row FROM vectors WHERE generation = ? AND side = ? ORDER BY row DESC LIMIT 1"
    row = connection.execute(sql, space).fetchone()
    if row is None:
        return 0
    last = int(*checked(row, int))
    if not 0 <= last < MOST_ROWS:
        raise Damage(f"names row {last} of embeddings")
    return last + 1


def _spaces(connection: Connection) -> list[Space]:
    """List which embeddings there are, those of a migration that is under way among them."""
    current = generation(connection)
    return [Space(filled, modality) for filled in (current, current + 1) if current for modality in MODALITIES]
