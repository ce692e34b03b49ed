"""A graph beside the shards: far faster than a scan where there are millions of rows, and not quite exact.

It finds candidates, of which the embeddings in the shards then say the order and the cosines, so that what it finds is
exact, and it may only miss something. Rows that were added since it was built are scanned. It is never the source of
truth: it is built from the shards, and where its file is missing or damaged everything is scanned.

The graph is that of Malkov and Yashunin, 2016 (HNSW), by the library usearch.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from numpyclip.errors import MissingPackageError
from numpyclip.index.folder.scan import nearest
from numpyclip.index.folder.shards import Rows, Shards
from numpyclip.model.ops import Array, normalize

_LOG = logging.getLogger(__name__)
_AT_ONCE = 1 << 14  # rows that are added
_CONNECTIONS, _EXPANSION = 24, 256  # of the graph: neighbours of a row, and how many are looked at to choose them
_WIDTH = 8  # candidates for each row that is wanted, and at least 256
_LEAST = 256
_QUERIES = 200  # to measure recall with


class Recall(NamedTuple):
    """How much of what a scan finds a graph finds."""

    share: float
    queries: int
    n: int


class Graph:
    """A graph of the rows of shards, mapped from its file.

    Parameters
    ----------
    file : Path
    count : int
        Rows that are in it: those before this one.
    """

    def __init__(self, file: Path, count: int) -> None:
        self.count = count
        self._index = _usearch().Index.restore(file, view=True)
        if self._index is None or len(self._index) != count:
            raise ValueError(f"{file}: does not hold {count} rows")

    def nearest(self, shards: Shards, count: int, queries: Array, n: int) -> list[tuple[Rows, Array]]:
        """Find rows as `scan.nearest` does, or almost."""
        candidates = min(self.count, max(_LEAST, _WIDTH * n))
        self._index.expansion_search = max(candidates, _LEAST)
        found = []
        newer = np.arange(self.count, count)
        for query in queries:
            rows = self._index.search(query, candidates).keys.astype(np.intp)
            allowed = np.union1d(rows, newer)
            (best,) = nearest(shards, count, query[np.newaxis], n, allowed)
            found.append(best)
        return found


def build(
    shards: Shards, count: int, file: Path, watch: Callable[[Iterator[int]], Iterable[int]] = iter
) -> tuple[Graph, Recall]:
    """Build the graph of the first rows, and measure it; the file appears when it is whole.

    Parameters
    ----------
    shards : Shards
    count : int
    file : Path
    watch : callable, optional
        Is given the numbers of rows that are added, step by step, and what it returns is gone through.

    Raises
    ------
    MissingPackageError
        If usearch is not installed.
    """
    index = _usearch().Index(
        ndim=shards.embed_dim, metric="ip", dtype="f16", connectivity=_CONNECTIONS, expansion_add=_EXPANSION
    )

    def steps() -> Iterator[int]:
        for start, block in shards.blocks(count, _AT_ONCE):
            index.add(np.arange(start, start + len(block)), np.ascontiguousarray(block))
            yield len(block)

    for done in watch(steps()):
        del done
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        index.save(part)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    graph = Graph(file, count)
    return graph, measure(graph, shards, count)


def opened(folder: Path, generation: int, side: str) -> Graph | None:
    """Open the newest graph of a generation; None if there is none that can be used."""
    for count, file in sorted(graphs(folder, generation, side), reverse=True):
        try:
            return Graph(file, count)
        except MissingPackageError as error:
            _LOG.warning("%s; everything is scanned", error)
        except Exception as error:  # a file that is damaged, in ways that usearch has no names for
            _LOG.warning("%s: cannot be used (%s); everything is scanned", file, error)
    return None


def graphs(folder: Path, generation: int, side: str) -> Iterator[tuple[int, Path]]:
    """Find the graphs of a generation, and how many rows each has."""
    for file in folder.glob(f"{side}-{generation}-*.usearch"):
        rows = file.stem.rpartition("-")[2]
        if rows.isdecimal():
            yield int(rows), file


def name(generation: int, side: str, count: int) -> str:
    """Name the file of a graph."""
    return f"{side}-{generation}-{count}.usearch"


def measure(graph: Graph, shards: Shards, count: int, n: int = 10) -> Recall:
    """Compare with a scan, for queries that lie between two rows, as sums of terms do: rows themselves are too easy."""
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, count, (2, min(_QUERIES, count)))
    queries = normalize(shards.take(pairs[0], count) + shards.take(pairs[1], count) + np.float32(1e-6))
    exact = nearest(shards, count, queries, n)
    found = graph.nearest(shards, count, queries, n)
    hits = sum(len(np.intersect1d(mine, rows)) for (mine, _), (rows, _) in zip(found, exact, strict=True))
    return Recall(hits / max(sum(len(rows) for rows, _ in exact), 1), len(queries), n)


def _usearch() -> Any:
    try:
        import usearch.index
    except ImportError as error:
        raise MissingPackageError('a graph needs usearch: pip install "numpyclip[graph]".') from error
    return usearch.index
