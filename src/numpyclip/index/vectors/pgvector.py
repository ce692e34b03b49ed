"""Embeddings in PostgreSQL, where the extension pgvector compares them: exactly, unless there is an HNSW index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numpyclip.index.database import Connection
from numpyclip.index.database.sql import MOST_VALUES, is_searched, one_of
from numpyclip.index.vectors import Found, Progress, Recall, Space, Vectors
from numpyclip.index.vectors.pgvector_hnsw import build, embeddings_in, is_of, is_sound, names, search, sent, usable
from numpyclip.index.where import Where
from numpyclip.model.ops import Array
from numpyclip.runtime.chunks import batched

_COLUMNS = "vectors (generation, side, item, embedding)"
_SELECT = "SELECT item, embedding FROM vectors WHERE generation = ? AND side = ?"


class PgVectors(Vectors):
    """See `Vectors`."""

    def add(self, connection: Connection, space: Space, items: Sequence[int], embeddings: Array) -> None:
        """Add embeddings (n, embed_dim) in a transaction."""
        connection.copy(_COLUMNS, binary_rows(space, items, embeddings))

    def take(self, connection: Connection, space: Space, items: Sequence[int]) -> dict[int, Array]:
        """Look up embeddings; items that have none are left out."""
        found: dict[int, Array] = {}
        for some in batched(items, MOST_VALUES):
            sql = sent(f"{_SELECT} AND item {one_of(len(some))}")
            rows = connection.execute(sql, (*space, *some)).fetchall()
            found.update(zip((item for item, _ in rows), embeddings_in([value for _, value in rows]), strict=True))
        return found

    def damaged(self, connection: Connection, space: Space) -> list[int]:
        """List items whose embeddings have another length than 1."""
        sql = (
            "SELECT item FROM vectors WHERE generation = ? AND side = ? "
            "AND NOT abs(vector_norm(embedding) - 1) < 0.001 ORDER BY item"
        )
        return [item for (item,) in connection.execute(sql, space)]

    def nearest(self, connection: Connection, space: Space, queries: Array, n: int, where: Where) -> list[list[Found]]:
        """Find for each query the nearest that are searched; where a graph gives too few, by comparing all."""
        condition, values = is_searched(space.modality, where)
        sql = sent(f"{_SELECT} AND {condition} ORDER BY embedding <#> ?::real[]::vector, item LIMIT ?")
        graph = usable(connection, space, n, where)
        found = []
        for query in queries:
            rows, are_all = ([], False) if graph is None else search(connection, graph, space, query, n, where)
            if not are_all:
                rows = connection.execute(sql, (*space, *values, query.tolist(), n)).fetchall()
            embeddings = embeddings_in([value for _, value in rows])
            near = zip(rows, embeddings, strict=True)
            found.append([Found(item, float(embedding @ query), embedding) for (item, _), embedding in near])
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


def binary_rows(space: Space, items: Sequence[int], embeddings: Array) -> bytes:
    """Return rows of the table as `COPY` reads them: each value after the number of its bytes, all big-endian."""
    modality = space.modality.encode()
    row = np.dtype(
        [
            ("columns", ">i2"),
            *[("generation_bytes", ">i4"), ("generation", ">i4")],
            *[("side_bytes", ">i4"), ("side", f"S{len(modality)}")],
            *[("item_bytes", ">i4"), ("item", ">i8")],
            *[("embedding_bytes", ">i4"), ("embed_dim", ">i2"), ("unused", ">i2")],
            ("embedding", ">f4", embeddings.shape[1]),
        ]
    )
    rows = np.zeros(len(items), row)
    rows["columns"], rows["side"], rows["generation"] = 4, modality, space.generation
    rows["item"], rows["embedding"], rows["embed_dim"] = items, embeddings, embeddings.shape[1]
    for column in ("generation", "side", "item"):
        rows[f"{column}_bytes"] = row[column].itemsize
    rows["embedding_bytes"] = 4 + row["embedding"].itemsize
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"
