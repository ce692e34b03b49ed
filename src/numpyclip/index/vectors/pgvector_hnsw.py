"""An HNSW index of pgvector's: the graph of millions of embeddings in PostgreSQL.

It holds embeddings rounded to float16, where pgvector has such a type (0.7), and its candidates are compared again by
those in the table, so that order and cosines are exact, but some neighbours may be missed. Rows that are added later
are in it at once. A search with conditions goes on in the graph until enough rows pass them (0.8); where few pass them,
or that takes too long, or pgvector is older, the search is exhaustive.

The index is named after its embeddings; one that is being built, or was left by a killed process, has another name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from numpyclip.errors import InputError, StoreError
from numpyclip.index.database import Connection
from numpyclip.index.database.sql import conditions, is_searched
from numpyclip.index.vectors import Progress, Recall, Space
from numpyclip.index.vectors.hnsw import moved, moved_as_texts
from numpyclip.index.vectors.scan import nearest_of
from numpyclip.index.vectors.shards import Rows
from numpyclip.index.where import EVERYWHERE, Where
from numpyclip.model.ops import Array

_ANY, _HALF, _ITERATIVE = (0, 5), (0, 7), (0, 8)  # versions of pgvector with HNSW, with float16, with iterative scans
_MOST_DIMENSIONS = {"halfvec": 4000, "vector": 2000}  # that an index takes
_CONNECTIONS, _EXPANSION = 24, 128  # of the graph: neighbours of a row, and how many are looked at to choose them
_WIDTH = 8  # candidates for each row that is wanted, and at least 256
_LEAST, _MOST = 256, 1000  # pgvector looks at no more at once
_WIDTH_PASSING, _LEAST_PASSING = 4, 64  # candidates that pass conditions
_FEW = 10_000  # files that pass conditions, whose pictures are all compared
_VISITED = 40_000  # rows of the graph after which a search ends, and another one is exhaustive
_MEMORY = 8  # times `work_mem` that these may take
_QUERIES, _NEAREST = 200, 10  # to measure recall with
_AT_ONCE = 1 << 12  # rows that are read
_SELECT = "SELECT item, vector_send(embedding) FROM"


class Graph(NamedTuple):
    """What is known of an HNSW index, and of its pgvector."""

    code: str  # the type of what it holds, such as ``halfvec(512)``
    is_iterative: bool

    @classmethod
    def of(cls, connection: Connection, name: str) -> Graph | None:
        """Look one up by its name; None if there is none, or it is not complete."""
        sql = (
            "SELECT format_type(atttypid, atttypmod), extversion FROM pg_index "
            "JOIN pg_attribute ON attrelid = indexrelid JOIN pg_extension ON extname = 'vector' "
            "WHERE indexrelid = to_regclass(?) AND indisvalid"
        )
        row = connection.execute(sql, (f"numpyclip.{name}",)).fetchone()
        return None if row is None else cls(row[0].rpartition(".")[2], _numbers(row[1]) >= _ITERATIVE)


def usable(connection: Connection, space: Space, n: int, where: Where) -> Graph | None:
    """Return the HNSW index that a search uses, if it does."""
    if space.modality != "pictures" or n > _MOST or (graph := Graph.of(connection, _name(space))) is None:
        return None
    if where == EVERYWHERE:
        return graph
    condition, values = conditions(where)
    sql = f"SELECT count(*) FROM (SELECT FROM files WHERE {condition} LIMIT ?) AS passing"
    few = graph.is_iterative and connection.execute(sql, (*values, _FEW + 1)).fetchone()[0] <= _FEW
    return graph if graph.is_iterative and not few else None


def search(
    connection: Connection, graph: Graph, space: Space, query: Array, n: int, where: Where | None
) -> tuple[list[tuple[int, bytes]], bool]:
    """Find the nearest, by their numbers and embeddings, and tell whether these are all that are wanted.

    With None for `where` all are searched.
    """
    condition, values = ("TRUE", []) if where is None else is_searched(space.modality, where)
    inside, outside = (condition, "TRUE") if graph.is_iterative else ("TRUE", condition)
    before, after = (values, []) if graph.is_iterative else ([], values)
    looked_at = min(_MOST, max(_LEAST, _WIDTH * n))
    count = looked_at if where in (None, EVERYWHERE) else min(_MOST, max(_LEAST_PASSING, _WIDTH_PASSING * n))
    candidates = (
        f"SELECT item, embedding FROM vectors WHERE {_predicate(space)} AND {inside} "
        f"ORDER BY (embedding::{graph.code}) <#> ?::real[]::{graph.code} LIMIT ?"
    )
    sql = (
        f"SELECT item, vector_send(embedding), count(*) OVER () FROM ({candidates}) AS candidates WHERE {outside} "
        "ORDER BY embedding <#> ?::real[]::vector, item LIMIT ?"
    )
    written = query.tolist()
    _set(connection, _settings(graph, looked_at))
    rows = connection.execute(sql, (*before, written, count, *after, written, n)).fetchall()
    _set(connection, {"enable_sort": "on"})
    found = [(item, embedding) for item, embedding, _ in rows]
    return found, bool(rows) and rows[0][2] >= (count if graph.is_iterative else n)


def build(connection: Connection, space: Space, progress: Progress) -> Recall:
    """Build an index, and measure its recall; it takes the place of the one before. If too low, there is none then.

    Others write meanwhile: PostgreSQL reads the table twice.
    """
    code = _code(connection, space)
    operators = f"{code.partition('(')[0]}_ip_ops"
    name, new = _name(space), f"{_name(space)}_new"
    connection.execute("ANALYZE files")  # by which searches with conditions are planned
    connection.execute(f"DROP INDEX IF EXISTS numpyclip.{new}")  # a killed process has left it
    try:
        connection.execute(
            f"CREATE INDEX CONCURRENTLY {new} ON vectors USING hnsw ((embedding::{code}) {operators}) "
            f"WITH (m = {_CONNECTIONS}, ef_construction = {_EXPANSION}) WHERE {_predicate(space)}"
        )
        connection.execute(f"DROP INDEX IF EXISTS numpyclip.{name}")  # so that it is not the one that is measured
        recall = _measure(connection, space, new, progress)
        if recall.is_good:
            connection.execute(f"ALTER INDEX numpyclip.{new} RENAME TO {name}")
    finally:
        connection.execute(f"DROP INDEX IF EXISTS numpyclip.{new}")
    return recall


def names(connection: Connection) -> list[str]:
    """List the HNSW indexes that there are, complete or not."""
    sql = "SELECT indexname FROM pg_indexes WHERE schemaname = 'numpyclip' AND strpos(indexname, '_hnsw') > 0"
    return [name for (name,) in connection.execute(sql)]


def is_sound(connection: Connection, space: Space, name: str) -> bool:
    """Tell whether an index is one that searches use."""
    return name == _name(space) and Graph.of(connection, name) is not None


def is_of(name: str, generations: range) -> bool:
    """Tell whether an index is of some generations, by its name."""
    number = name.split("_")[1]
    return number.isdecimal() and int(number) in generations


def embeddings_in(values: list[bytes]) -> Array:
    """Return embeddings (n, embed_dim) of one length as pgvector sends them: the length, two bytes, and numbers."""
    if not values:
        return np.empty((0, 0), np.float32)
    data = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
    return np.ascontiguousarray(data[:, 4:]).view(">f4").astype(np.float32)


def _measure(connection: Connection, space: Space, name: str, progress: Progress) -> Recall:
    """Compare with exhaustive search, for rows that are moved as far as they are from others, and as texts are."""
    graph = Graph.of(connection, name)
    if graph is None:
        raise StoreError(f"{name}: PostgreSQL has not completed the graph; build it again.")
    sql = f"{_SELECT} vectors WHERE {_predicate(space)} ORDER BY md5(item::text) LIMIT ?"
    items, values = zip(*connection.execute(sql, (_QUERIES,)), strict=True)
    rows = embeddings_in(list(values))

    def found(query: Array, n: int) -> list[tuple[int, bytes]]:
        return search(connection, graph, space, query, n, None)[0]

    cosines = []
    for item, row in zip(items, rows, strict=True):
        others = [value for other, value in found(row, 2) if other != item]
        cosines.append(min(1.0, *(embeddings_in(others) @ row).tolist()) if others else 1.0)
    directions = np.random.default_rng(0).standard_normal(rows.shape, np.float32)
    images = moved(rows, directions, np.array(cosines, np.float32)[:, np.newaxis])
    queries = np.concatenate([images, moved_as_texts(rows)])
    exact = nearest_of(_blocks(connection, space, progress), queries, _NEAREST)
    hits = [
        len(np.intersect1d([item for item, _ in found(query, _NEAREST)], best)) / max(len(best), 1)
        for query, (best, _) in zip(queries, exact, strict=True)
    ]
    of_images, of_texts = np.split(np.array(hits), 2)
    return Recall(float(of_images.mean()), float(of_texts.mean()), len(rows), _NEAREST)


def _blocks(connection: Connection, space: Space, progress: Progress) -> Iterator[tuple[Rows, Array]]:
    """Read all rows, some at a time: numbers and embeddings."""
    read: list[tuple[int, bytes]] = []

    def steps() -> Iterator[int]:
        sql = f"{_SELECT} vectors WHERE {_predicate(space)} AND item > ? ORDER BY item LIMIT ?"
        last = -1
        while read[:] or last < 0:
            read[:] = connection.execute(sql, (last, _AT_ONCE)).fetchall()
            last = read[-1][0] if read else last
            yield len(read)

    for count in progress(steps()):
        if count:
            yield np.array([item for item, _ in read], np.intp), embeddings_in([value for _, value in read])


def _code(connection: Connection, space: Space) -> str:
    """Return the type of what an index is to hold; InputError if this pgvector has none."""
    (written,) = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if _numbers(written) < _ANY:
        raise InputError(
            f"a graph in PostgreSQL needs pgvector 0.5; the database has {written}. Update it: "
            "ALTER EXTENSION vector UPDATE."
        )
    kind = "halfvec" if _numbers(written) >= _HALF else "vector"
    sql = f"SELECT vector_dims(embedding) FROM vectors WHERE {_predicate(space)} LIMIT 1"
    (embed_dim,) = connection.execute(sql).fetchone()
    if embed_dim > (most := _MOST_DIMENSIONS[kind]):
        raise InputError(
            f"a graph of pgvector {written} holds at most {most} dimensions; embeddings have {embed_dim}. "
            f"Re-embed: numpyclip index --migrate --truncate-dim {most}."
        )
    return f"{kind}({embed_dim})"


def _settings(graph: Graph, count: int) -> dict[str, str]:
    """Return what makes PostgreSQL take candidates from the graph, in its order."""
    settings = {"enable_sort": "off", "hnsw.ef_search": str(count)}
    if graph.is_iterative:
        settings["hnsw.iterative_scan"] = "relaxed_order"
        settings["hnsw.max_scan_tuples"] = str(_VISITED)
        settings["hnsw.scan_mem_multiplier"] = str(_MEMORY)
    return settings


def _set(connection: Connection, settings: dict[str, str]) -> None:
    """Change settings until the end of a transaction, or of the session where there is none."""
    calls = ", ".join(["set_config(?, ?, FALSE)"] * len(settings))
    values: list[Any] = [text for setting in settings.items() for text in setting]
    connection.execute(f"SELECT {calls}", values)


def _name(space: Space) -> str:
    return f"{space.modality}_{space.generation}_hnsw"


def _predicate(space: Space) -> str:
    """Return the condition for some embeddings, without values, so that it is seen to be that of an index."""
    return f"generation = {space.generation} AND side = '{space.modality}'"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
