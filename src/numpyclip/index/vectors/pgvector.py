"""Embeddings in PostgreSQL, where the extension pgvector compares them: exactly, unless there is an HNSW index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from numpyclip.index.database import Connection
from numpyclip.index.database.conditions import is_searched
from numpyclip.index.database.sql import MOST_KEYS, PARTS, have_parts, of_keys
from numpyclip.index.records import Key, Moment
from numpyclip.index.vectors import MOST_OTHERS, Found, Progress, Recall, Space, Vectors
from numpyclip.index.vectors.pgvector_hnsw import build, embeddings_in, is_of, is_sound, names, search, sent, usable
from numpyclip.index.where import Where
from numpyclip.model.ops import Array
from numpyclip.runtime.chunks import batched

_COLUMNS = "vectors (generation, side, item, part, embedding)"
_SELECT = "SELECT item, part, embedding FROM vectors WHERE generation = ? AND side = ?"


class PgVectors(Vectors):
    """See `Vectors`."""

    def add(self, connection: Connection, space: Space, keys: Sequence[Key], embeddings: Array) -> None:
        """Add embeddings (n, embed_dim) in a transaction."""
        lengths = np.array([len(part) for _, part in keys])
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length).tolist()
            connection.copy(_COLUMNS, binary_rows(space, [keys[row] for row in rows], embeddings[rows]))

    def take(self, connection: Connection, space: Space, keys: Iterable[Key]) -> dict[Key, Array]:
        """Look up embeddings; those that are not there are left out."""
        found: dict[Key, Array] = {}
        for some in map(frozenset, batched(keys, MOST_KEYS)):
            condition, values = of_keys(some)
            rows = connection.execute(sent(f"{_SELECT} AND {condition}"), (*space, *values)).fetchall()
            embeddings = embeddings_in([value for *_, value in rows])
            read = (((item, part), row) for (item, part, _), row in zip(rows, embeddings, strict=True))
            found.update((key, row) for key, row in read if key in some)
        return found

    def damaged(self, connection: Connection, space: Space) -> list[int]:
        """List items whose embeddings have another length than 1."""
        sql = (
            "SELECT DISTINCT item FROM vectors WHERE generation = ? AND side = ? "
            "AND NOT abs(vector_norm(embedding) - 1) < 0.001 ORDER BY item"
        )
        return [item for (item,) in connection.execute(sql, space)]

    def nearest(self, connection: Connection, space: Space, queries: Array, n: int, where: Where) -> list[list[Found]]:
        """Find for each query the nearest that are searched; where a graph gives too few, by comparing all."""
        parts = PARTS if have_parts(connection) else 1
        return [self._nearest(connection, space, query, n, n * parts, where) for query in queries]

    def _nearest(
        self, connection: Connection, space: Space, query: Array, n: int, wanted: int, where: Where
    ) -> list[Found]:
        """Find the nearest by at first so many rows, of which several may be of one image."""
        while True:
            rows = _nearest_rows(connection, space, query, wanted, where)
            best: dict[int, list[tuple[str, Array]]] = {}
            for item, part, embedding in rows:
                best.setdefault(item, []).append((part, embedding))
            if len(best) >= n or len(rows) < wanted:
                break
            wanted *= 4
        found = []
        for item, ((part, embedding), *near) in islice(best.items(), n):
            others = [Moment(other, float(row @ query)) for other, row in near[:MOST_OTHERS]]
            found.append(Found(item, float(embedding @ query), embedding, part, others))
        return found

    def remove_before(self, connection: Connection, generation: int) -> None:
        """Remove HNSW indexes of older generations."""
        self._drop(connection, [name for name in names(connection) if is_of(name, range(generation))])

    def build_hnsw(self, connection: Connection, space: Space, progress: Progress) -> Recall:
        """Build an HNSW index, which searches then use, and which every writer keeps up to date."""
        return build(connection, space, progress)

    def has_damaged_hnsw(self, connection: Connection, space: Space) -> bool:
        """Tell whether there is one that a killed process has left."""
        return not all(is_sound(connection, space, name) for name in names(connection))

    def remove_hnsw(self, connection: Connection) -> bool:
        """Remove it; False if there is none."""
        return self._drop(connection, names(connection))

    def _drop(self, connection: Connection, indexes: Sequence[str]) -> bool:
        for name in indexes:
            connection.execute(f"DROP INDEX IF EXISTS numpyclip.{name}")
        return bool(indexes)


def _nearest_rows(
    connection: Connection, space: Space, query: Array, n: int, where: Where
) -> list[tuple[int, str, Array]]:
    """Find the nearest embeddings, each with its item and part."""
    graph = usable(connection, space, n, where)
    rows, are_all = ([], False) if graph is None else search(connection, graph, space, query, n, where)
    if not are_all:
        condition, values = is_searched(connection, space.modality, where)
        sql = sent(f"{_SELECT} AND {condition} ORDER BY embedding <#> ?::real[]::vector, item, part LIMIT ?")
        rows = connection.execute(sql, (*space, *values, query.tolist(), n)).fetchall()
    embeddings = embeddings_in([value for *_, value in rows])
    return [(item, part, embedding) for (item, part, _), embedding in zip(rows, embeddings, strict=True)]


def binary_rows(space: Space, keys: Sequence[Key], embeddings: Array) -> bytes:
    """Return rows of the table, of parts of one length, as `COPY` reads them.

    Each value comes after the number of its bytes, all big-endian.
    """
    modality, length = space.modality.encode(), len(keys[0][1])
    row = np.dtype(
        [
            ("columns", ">i2"),
            *[("generation_bytes", ">i4"), ("generation", ">i4")],
            *[("side_bytes", ">i4"), ("side", f"S{len(modality)}")],
            *[("item_bytes", ">i4"), ("item", ">i8")],
            *[("part_bytes", ">i4"), ("part", f"S{length}")],
            *[("embedding_bytes", ">i4"), ("embed_dim", ">i2"), ("unused", ">i2")],
            ("embedding", ">f4", embeddings.shape[1]),
        ]
    )
    rows = np.zeros(len(keys), row)
    rows["columns"], rows["side"], rows["generation"] = 5, modality, space.generation
    rows["item"], rows["part"] = [item for item, _ in keys], [part.encode() for _, part in keys]
    rows["embedding"], rows["embed_dim"] = embeddings, embeddings.shape[1]
    for column in ("generation", "side", "item", "part"):
        rows[f"{column}_bytes"] = row[column].itemsize
    rows["embedding_bytes"] = 4 + row["embedding"].itemsize
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"
