"""An HNSW index of pgvector's: the graph of millions of embeddings in PostgreSQL.

It holds embeddings rounded to float16, where pgvector has such a type (0.7), and its candidates are compared again by
those in the table, so that order and cosines are exact, but some neighbors may be missed. Rows that are added later
are in it at once. A search with conditions goes on in the graph until enough rows pass them (0.8); where few pass them,
or that takes too long, or pgvector is older, the search is exhaustive.

The index is named after its embeddings; one that is being built, or was left by a killed process, has another name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import tee
from typing import Any, NamedTuple

import numpy as np

from numpyclip.errors import InputError, StoreError
from numpyclip.index.database import Connection
from numpyclip.index.database.conditions import conditions, is_searched
from numpyclip.index.records import MODALITIES
from numpyclip.index.vectors import Progress, Recall, Space
from numpyclip.index.vectors.recall import CANDIDATES, NEAREST, QUERIES, candidates, measure, moved, moved_as_texts
from numpyclip.index.vectors.scan import nearest_of
from numpyclip.index.vectors.shards import Rows
from numpyclip.index.where import EVERYWHERE, Where
from numpyclip.model.ops import Array

_ANY, _HALF, _ITERATIVE = (0, 5), (0, 7), (0, 8)  # versions of pgvector with HNSW, with float16, with iterative scans
_MOST_DIMENSIONS = {"halfvec": 4000, "vector": 2000}  # that an index takes
_UPDATE = "ALTER EXTENSION vector UPDATE"
_CONNECTIONS, _EXPANSION = 24, 128  # of the graph: neighbors of a row, and how many are looked at to choose them
_MOST = 1000  # candidates: pgvector finds no more at once, and goes on for more from 0.8 on
_PASSING = 4  # times fewer candidates, if these are to pass conditions; as many for each row that is wanted, at least
_VISITED = 40_000  # rows of the graph after which a search ends, and another one is exhaustive
_FEW = 10_000  # files that pass conditions, whose images are all compared; more where these rows would hold too few
_MEMORY = 8  # times `work_mem` that these may take
_AT_ONCE = 1 << 12  # rows that are read
_NAMES = f"^({'|'.join(MODALITIES)})_[0-9]+_hnsw(_new)?$"  # as `_name` makes them


class Graph(NamedTuple):
    """What is known of an HNSW index, and of its pgvector."""

    code: str  # the type of what it holds, such as ``halfvec(512)``
    options: list[str]  # that it was built with
    rows: int  # that it holds, about
    is_iterative: bool  # as pgvector is
    candidates: int  # with which its recall is high enough, as its comment says

    @classmethod
    def of(cls, connection: Connection, name: str) -> Graph | None:
        """Look one up by its name; None if there is none, or it is not complete."""
        sql = (
            "SELECT format_type(atttypid, atttypmod), reloptions, reltuples, extversion, "
            "obj_description(indexrelid, 'pg_class') FROM pg_index "
            "JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_attribute ON attrelid = indexrelid "
            "JOIN pg_extension ON extname = 'vector' WHERE indexrelid = to_regclass(?) AND indisvalid"
        )
        if (row := connection.execute(sql, (f"numpyclip.{name}",)).fetchone()) is None:
            return None
        kind, options, rows, version, comment = row
        count = int(comment) if str(comment).isdecimal() else CANDIDATES[0]
        return cls(kind.rpartition(".")[2], options, int(rows), _numbers(version) >= _ITERATIVE, count)


def usable(connection: Connection, space: Space, n: int, where: Where) -> Graph | None:
    """Return the HNSW index that a search uses, if it does."""
    if space.modality != "pictures" or n > _MOST or (graph := Graph.of(connection, _name(space))) is None:
        return None
    if where == EVERYWHERE:
        return graph
    if not graph.is_iterative:
        return None
    condition, values = conditions(connection, where)
    few = max(_FEW, graph.rows * _passing(graph, n) // _VISITED)
    sql = f"SELECT count(*) FROM (SELECT FROM files WHERE {condition} LIMIT ?) AS passing"
    (passing,) = connection.execute(sql, (*values, few + 1)).fetchone()
    return graph if passing > few else None


def search(
    connection: Connection, graph: Graph, space: Space, query: Array, n: int, where: Where | None
) -> tuple[list[tuple[int, str, bytes]], bool]:
    """Find the nearest, by their numbers, parts and embeddings, and tell whether these are all that are wanted.

    With None for `where` all are searched. Settings change until the end of the transaction, if they are all.
    """
    condition, values = ("TRUE", []) if where is None else is_searched(connection, space.modality, where)
    inside, outside = (condition, "TRUE") if graph.is_iterative else ("TRUE", condition)
    before, after = (values, []) if graph.is_iterative else ([], values)
    looked_at = candidates(n, graph.candidates) if graph.is_iterative else min(_MOST, candidates(n, graph.candidates))
    count = looked_at if where in (None, EVERYWHERE) else _passing(graph, n)
    inner = (
        f"SELECT item, part, embedding FROM vectors WHERE {_predicate(space)} AND {inside} "
        f"ORDER BY (embedding::{graph.code}) <#> ?::real[]::{graph.code} LIMIT ?"
    )
    best = (
        f"SELECT item, part, embedding, count(*) OVER () AS passing FROM ({inner}) AS candidates WHERE {outside} "
        "ORDER BY embedding <#> ?::real[]::vector, item, part LIMIT ?"
    )
    written = query.tolist()
    _prepare(connection, graph, looked_at)
    rows = connection.execute(sent(best, ", passing"), (*before, written, count, *after, written, n)).fetchall()
    found = [(item, part, embedding) for item, part, embedding, _ in rows]
    are_all = bool(rows) and rows[0][3] >= (count if graph.is_iterative else n)
    if not are_all:  # before version 18, PostgreSQL does not divide an exhaustive search among cores without sorting
        connection.execute("SET LOCAL enable_sort TO DEFAULT")
    return found, are_all


def build(connection: Connection, space: Space, progress: Progress) -> Recall:
    """Build an index, and measure its recall; it takes the place of the one before. If too low, there is none then.

    Others write meanwhile: PostgreSQL reads the table twice. One that was built, and then not measured to the end, is
    not built again.
    """
    code, name, new = _code(connection, space), _name(space), f"{_name(space)}_new"
    connection.execute("ANALYZE files")  # by which searches with conditions are planned
    graph = _built(connection, space, code, new)
    queries = _queries(connection, graph, space)
    counted, blocks = tee(_blocks(connection, space))
    shown = zip(progress(len(rows) for rows, _ in counted), blocks, strict=True)
    exact = nearest_of((block for _, block in shown), queries, NEAREST)
    connection.execute(f"DROP INDEX IF EXISTS numpyclip.{name}")  # so that it is not the one that is measured
    recall = _measure(connection, graph, space, queries, exact)
    if recall.is_good:
        connection.execute(f"COMMENT ON INDEX numpyclip.{new} IS '{recall.candidates}'")
        connection.execute(f"ALTER INDEX numpyclip.{new} RENAME TO {name}")
    else:
        connection.execute(f"DROP INDEX numpyclip.{new}")
    return recall


def _built(connection: Connection, space: Space, code: str, name: str) -> Graph:
    """Return an index as this version builds it, which is there or is built now."""
    options = [f"m={_CONNECTIONS}", f"ef_construction={_EXPANSION}"]
    if (graph := Graph.of(connection, name)) is not None and (graph.code, graph.options) == (code, options):
        return graph
    drop = f"DROP INDEX IF EXISTS numpyclip.{name}"
    connection.execute(drop)
    try:
        connection.execute(
            f"CREATE INDEX CONCURRENTLY {name} ON vectors USING hnsw "
            f"((embedding::{code}) {code.partition('(')[0]}_ip_ops) "
            f"WITH ({', '.join(options)}) WHERE {_predicate(space)}"
        )
    except BaseException:
        with contextlib.suppress(Exception):  # where the connection is lost, the next build drops it
            connection.execute(drop)  # every writer would keep up to date what is not complete
        raise
    if (graph := Graph.of(connection, name)) is None:
        raise StoreError(f"{name}: PostgreSQL has not completed the graph; build it again.")
    return graph


def names(connection: Connection) -> list[str]:
    """List the HNSW indexes that there are, complete or not; those that others have made are theirs."""
    sql = "SELECT indexname FROM pg_indexes WHERE schemaname = 'numpyclip' AND indexname ~ ?"
    return [name for (name,) in connection.execute(sql, (_NAMES,))]


def is_sound(connection: Connection, space: Space, name: str) -> bool:
    """Tell whether an index is one that searches use."""
    return name == _name(space) and Graph.of(connection, name) is not None


def is_of(name: str, generations: range) -> bool:
    """Tell whether an index is of some generations, by its name."""
    return int(name.split("_")[1]) in generations


def sent(rows: str, more: str = "") -> str:
    """Return the statement for some rows, with embeddings as pgvector sends them, which it makes of these rows only.

    In one that sorts it would make them of all that it sorts.
    """
    return f"SELECT item, part, vector_send(embedding){more} FROM ({rows}) AS chosen"


def embeddings_in(values: list[bytes]) -> Array:
    """Return embeddings (n, embed_dim) of one length as pgvector sends them: the length, two bytes, and numbers."""
    if not values:
        return np.empty((0, 0), np.float32)
    data = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
    return np.ascontiguousarray(data[:, 4:]).view(">f4").astype(np.float32)


def _queries(connection: Connection, graph: Graph, space: Space) -> Array:
    """Return queries of no rows: some rows moved as far as they are from others, and then these moved as texts are."""
    chosen = f"SELECT item, part, embedding FROM vectors WHERE {_predicate(space)} ORDER BY md5(item || part) LIMIT ?"
    read = connection.execute(sent(chosen), (QUERIES,)).fetchall()
    rows = embeddings_in([value for *_, value in read])
    cosines = []
    with _transaction(connection):
        for (*key, _), row in zip(read, rows, strict=True):
            near, _ = search(connection, graph, space, row, 2, None)
            others = embeddings_in([value for *other, value in near if other != key])
            cosines.append(min(1.0, *(others @ row).tolist()) if len(others) else 1.0)
    directions = np.random.default_rng(0).standard_normal(rows.shape, np.float32)
    images = moved(rows, directions, np.array(cosines, np.float32)[:, np.newaxis])
    return np.concatenate([images, moved_as_texts(rows)])


def _measure(
    connection: Connection, graph: Graph, space: Space, queries: Array, exact: Sequence[tuple[Rows, Array]]
) -> Recall:
    """Compare with exhaustive search."""

    def found(count: int) -> Iterator[list[int]]:
        wide = graph._replace(candidates=count)
        return ([item for item, *_ in search(connection, wide, space, query, NEAREST, None)[0]] for query in queries)

    with _transaction(connection):
        return measure(found, exact, None if graph.is_iterative else _MOST)


def _blocks(connection: Connection, space: Space) -> Iterator[tuple[Rows, Array]]:
    """Read all rows, some at a time: numbers and embeddings."""
    rows = (
        f"SELECT item, part, embedding FROM vectors WHERE {_predicate(space)} AND (item, part) > (?, ?) "
        "ORDER BY item, part LIMIT ?"
    )
    last: tuple[int, str] = (-1, "")
    while read := connection.execute(sent(rows), (*last, _AT_ONCE)).fetchall():
        last = read[-1][:2]
        yield np.array([item for item, *_ in read], np.intp), embeddings_in([value for *_, value in read])


def _passing(graph: Graph, n: int) -> int:
    """Return how many candidates are to pass conditions, to find the `n` nearest among them."""
    return min(_MOST, max(graph.candidates // _PASSING, _PASSING * n))


def _code(connection: Connection, space: Space) -> str:
    """Return the type of what an index is to hold; InputError if this pgvector has none."""
    (written,) = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if _numbers(written) < _ANY:
        raise InputError(f"a graph in PostgreSQL needs pgvector 0.5; the database has {written}. Update it: {_UPDATE}.")
    kind = "halfvec" if _numbers(written) >= _HALF else "vector"
    sql = f"SELECT vector_dims(embedding) FROM vectors WHERE {_predicate(space)} LIMIT 1"
    (embed_dim,) = connection.execute(sql).fetchone()
    if embed_dim > (most := _MOST_DIMENSIONS[kind]):
        newer = _MOST_DIMENSIONS["halfvec"]
        raise InputError(
            f"a graph of pgvector {written} holds at most {most} dimensions; embeddings have {embed_dim}. "
            + (f"Update it to 0.7, which takes {newer}: {_UPDATE}, or re-embed" if embed_dim <= newer else "Re-embed")
            + f": numpyclip index --migrate --truncate-dim {most}."
        )
    return f"{kind}({embed_dim})"


def _prepare(connection: Connection, graph: Graph, count: int) -> None:
    """Make PostgreSQL take candidates from the graph, in its order, until the end of the transaction."""
    settings = {"enable_sort": "off", "hnsw.ef_search": str(min(_MOST, count))}
    if graph.is_iterative:
        settings["hnsw.iterative_scan"] = "relaxed_order"
        settings["hnsw.max_scan_tuples"] = str(_VISITED)
        settings["hnsw.scan_mem_multiplier"] = str(_MEMORY)
    values: list[Any] = [text for setting in settings.items() for text in setting]
    connection.execute(f"SELECT {', '.join(['set_config(?, ?, TRUE)'] * len(settings))}", values)


@contextlib.contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """Open a transaction on a connection for building."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")  # after an error PostgreSQL rolls back instead


def _name(space: Space) -> str:
    return f"{space.modality}_{space.generation}_hnsw"


def _predicate(space: Space) -> str:
    """Return the condition for some embeddings, without values, so that it is seen to be that of an index."""
    return f"generation = {space.generation} AND side = '{space.modality}'"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
