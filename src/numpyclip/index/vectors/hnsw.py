"""An HNSW index beside the shards: far faster than exhaustive search among millions of rows, and not quite exact.

Its candidates are re-ranked by the embeddings in the shards, so that order and cosines are exact, but some neighbours
may be missed. Rows that were added since it was built are compared one by one. It is never the source of truth: it is
built from the shards, and where its file is missing or damaged the search is exhaustive.

It is the graph of Malkov and Yashunin, 2016, by the library usearch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from numpyclip.atomic import temporary_path
from numpyclip.errors import MissingPackageError
from numpyclip.index.vectors import Progress, Recall, Space
from numpyclip.index.vectors.scan import nearest
from numpyclip.index.vectors.shards import Rows, Shards
from numpyclip.model.ops import Array, normalize

_LOG = logging.getLogger(__name__)
_AT_ONCE = 1 << 14  # rows that are added
_CONNECTIONS, _EXPANSION = 24, 256  # of the graph: neighbours of a row, and how many are looked at to choose them
_WIDTH = 8  # candidates for each row that is wanted, and at least 256
_LEAST = 256
_QUERIES = 200  # to measure recall with


class HNSW:
    """An HNSW index of the first `count` rows of shards, memory-mapped from its file."""

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


def build(shards: Shards, count: int, file: Path, progress: Progress = iter) -> tuple[HNSW, Recall]:
    """Build an index of the first `count` rows, and measure its recall; the file is written atomically."""
    graph = _usearch().Index(
        ndim=shards.embed_dim, metric="ip", dtype="f16", connectivity=_CONNECTIONS, expansion_add=_EXPANSION
    )

    def steps() -> Iterator[int]:
        for start, block in shards.blocks(count, _AT_ONCE):
            graph.add(np.arange(start, start + len(block)), np.ascontiguousarray(block))
            yield len(block)

    for done in progress(steps()):
        del done
    with temporary_path(file) as part:
        graph.save(part)
        part.replace(file)
    built = HNSW(file, count)
    return built, measure(built, shards, count)


def opened(found: Iterable[tuple[int, Path]]) -> HNSW | None:
    """Open the one with the most rows of what `files` has found; None if none can be used."""
    for count, file in sorted(found, reverse=True):
        try:
            return HNSW(file, count)
        except MissingPackageError as error:
            _LOG.warning("%s; the search is exhaustive", error)
        except Exception as error:  # a file that is damaged, in ways that usearch has no names for
            _LOG.warning("%s: cannot be used (%s); the search is exhaustive", file, error)
    return None


def files(folder: Path, space: Space) -> Iterator[tuple[int, Path]]:
    """Find the files for some embeddings, and how many rows each has."""
    for file in folder.glob(f"{space.modality}-{space.generation}-*.usearch"):
        rows = file.stem.rpartition("-")[2]
        if rows.isdecimal():
            yield int(rows), file


def file_name(space: Space, count: int) -> str:
    """Name the file for so many rows."""
    return f"{space.modality}-{space.generation}-{count}.usearch"


def measure(index: HNSW, shards: Shards, count: int, n: int = 10) -> Recall:
    """Compare with exhaustive search, for queries between two rows, as sums of terms are: rows themselves are easy."""
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, count, (2, min(_QUERIES, count)))
    queries = normalize(shards.take(pairs[0], count) + shards.take(pairs[1], count) + np.float32(1e-6))
    exact = nearest(shards, count, queries, n)
    found = index.nearest(shards, count, queries, n)
    hits = sum(len(np.intersect1d(mine, rows)) for (mine, _), (rows, _) in zip(found, exact, strict=True))
    return Recall(hits / max(sum(len(rows) for rows, _ in exact), 1), len(queries), n)


def _usearch() -> Any:
    try:
        import usearch.index
    except ImportError as error:
        raise MissingPackageError('an HNSW index needs usearch: pip install "numpyclip[graph]".') from error
    return usearch.index
