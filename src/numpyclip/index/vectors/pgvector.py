"""Embeddings in PostgreSQL, where the extension pgvector compares them: exactly, with every row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numpyclip.index.database import Connection
from numpyclip.index.database.postgres import copy_rows
from numpyclip.index.database.sql import MOST_VALUES, is_searched, one_of
from numpyclip.index.vectors import Found, Space, Vectors
from numpyclip.index.where import Where
from numpyclip.model.ops import Array
from numpyclip.runtime.chunks import batched

_COLUMNS = "vectors (generation, side, item, embedding)"
_SELECT = "SELECT item, embedding::real[] FROM vectors WHERE generation = ? AND side = ?"


class PgVectors(Vectors):
    """See `Vectors`."""

    def add(self, connection: Connection, space: Space, items: Sequence[int], embeddings: Array) -> None:
        """Add embeddings (n, embed_dim) in a transaction."""
        copy_rows(connection, _COLUMNS, binary_rows(space, items, embeddings))

    def take(self, connection: Connection, space: Space, items: Sequence[int]) -> dict[int, Array]:
        """Look up embeddings; items that have none are left out."""
        found: dict[int, Array] = {}
        for some in batched(items, MOST_VALUES):
            rows = connection.execute(f"{_SELECT} AND item {one_of(len(some))}", (*space, *some))
            found.update((item, np.array(embedding, np.float32)) for item, embedding in rows)
        return found

    def damaged(self, connection: Connection, space: Space) -> list[int]:
        """List items whose embeddings have another length than 1."""
        sql = (
            "SELECT item FROM vectors WHERE generation = ? AND side = ? "
            "AND NOT abs(vector_norm(embedding) - 1) < 0.001 ORDER BY item"
        )
        return [item for (item,) in connection.execute(sql, space)]

    def nearest(self, connection: Connection, space: Space, queries: Array, n: int, where: Where) -> list[list[Found]]:
        """Find for each query the nearest that are searched."""
        condition, values = is_searched(space.modality, where)
        sql = f"{_SELECT} AND {condition} ORDER BY embedding <#> ?::real[]::vector, item LIMIT ?"
        found = []
        for query in queries:
            rows = connection.execute(sql, (*space, *values, query.tolist(), n))
            embeddings = [(item, np.array(embedding, np.float32)) for item, embedding in rows]
            found.append([Found(item, float(embedding @ query), embedding) for item, embedding in embeddings])
        return found


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
