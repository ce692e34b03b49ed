"""An HNSW index beside the shards: far faster than exhaustive search among millions of rows, and not quite exact.

Its candidates are re-ranked by the embeddings in the shards, so that order and cosines are exact, but some neighbours
may be missed. Rows that were added since it was built are compared one by one. It is never the source of truth: it is
built from the shards, and where its file is missing or damaged the search is exhaustive.

It is the graph of Malkov and Yashunin, 2016, by the library usearch.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from numpyclip.atomic import temporary_path
from numpyclip.errors import MissingPackageError
from numpyclip.index.file_checksum import checksum
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
_TEXT_COSINE = 0.3  # of a text and the picture that it describes


class HNSW:
    """An HNSW index of the first `count` rows of shards: one of usearch's, in memory or memory-mapped."""

    def __init__(self, graph: Any, count: int) -> None:
        self.count = count
        self._graph = graph

    @classmethod
    def open(cls, file: Path, count: int) -> HNSW:
        """Memory-map one from its file, if that is as it was written: ValueError if not, for usearch trusts it."""
        if not is_whole(file, count):
            raise ValueError("it is damaged, or of an earlier version")
        return cls(_usearch().Index.restore(file, view=True), count)

    def nearest(self, shards: Shards, count: int, queries: Array, n: int) -> list[tuple[Rows, Array]]:
        """Find rows as `scan.nearest` does, or almost."""
        candidates = min(self.count, max(_LEAST, _WIDTH * n))
        self._graph.expansion_search = max(candidates, _LEAST)
        found = []
        newer = np.arange(self.count, count)
        for query in queries:
            rows = self._graph.search(query, candidates).keys.astype(np.intp)
            allowed = np.union1d(rows, newer)
            (best,) = nearest(shards, count, query[np.newaxis], n, allowed)
            found.append(best)
        return found


def is_whole(file: Path, count: int) -> bool:
    """Tell whether the file of so many rows is as it was written."""
    with contextlib.suppress(OSError):
        return checksum(file) == file.stem.partition(f"-{count}-")[2]
    return False


def build(shards: Shards, count: int, folder: Path, space: Space, progress: Progress = iter) -> Recall:
    """Build an index of the first `count` rows, and measure its recall.

    It takes the place of the one before, atomically; if its recall is too low, there is none afterwards.
    """
    graph = _usearch().Index(
        ndim=shards.embed_dim, metric="ip", dtype="f16", connectivity=_CONNECTIONS, expansion_add=_EXPANSION
    )
    rng = np.random.default_rng(0)
    held_out = np.sort(rng.choice(count, min(_QUERIES, count // 2), replace=False))

    def steps() -> Iterator[int]:
        for start, block in shards.blocks(count, _AT_ONCE):
            rows = np.setdiff1d(np.arange(start, start + len(block)), held_out, assume_unique=True)
            graph.add(rows, block[rows - start])
            yield len(block)

    for done in progress(steps()):
        del done
    recall = measure(HNSW(graph, count), shards, count, held_out)
    old = [file for file in folder.glob("*.usearch") if file.name.startswith(_prefix(space))]
    if recall.is_good:
        graph.add(held_out, shards.take(held_out, count))
        file = folder / f"{_prefix(space)}{count}.usearch"
        with temporary_path(file) as part:
            graph.save(part)
            part.replace(file.with_stem(f"{file.stem}-{checksum(part)}"))
    for file in old:
        file.unlink(missing_ok=True)
    return recall


def opened(found: Iterable[tuple[int, Path]]) -> HNSW | None:
    """Open the one with the most rows of what `files` has found; None if none can be used."""
    for count, file in sorted(found, reverse=True):
        try:
            return HNSW.open(file, count)
        except MissingPackageError as error:
            _LOG.warning("the search is exhaustive: %s", error)
        except Exception as error:  # a file that is damaged, in ways that usearch has no names for
            _LOG.warning("%s: cannot be used (%s); the search is exhaustive: numpyclip index --graph", file, error)
    return None


def files(folder: Path, space: Space) -> Iterator[tuple[int, Path]]:
    """Find the files for some embeddings, and how many rows each has."""
    for file in folder.glob(f"{_prefix(space)}*.usearch"):
        rows = file.stem.removeprefix(_prefix(space)).partition("-")[0]
        if rows.isdecimal():
            yield int(rows), file


def measure(index: HNSW, shards: Shards, count: int, held_out: Rows, n: int = 10) -> Recall:
    """Compare with exhaustive search, for rows that are not in the index, and for these moved as texts are."""
    others = np.setdiff1d(np.arange(count), held_out, assume_unique=True)
    rows = shards.take(held_out, count)
    shifted = moved_as_texts(rows)

    def share(queries: Array) -> float:
        exact = nearest(shards, count, queries, n, others)
        found = index.nearest(shards, count, queries, n)
        hits = sum(len(np.intersect1d(mine, best)) for (mine, _), (best, _) in zip(found, exact, strict=True))
        return hits / max(sum(len(best) for best, _ in exact), 1) if len(queries) else 1.0

    return Recall(share(rows), share(shifted), len(rows), n)


def moved_as_texts(rows: Array) -> Array:
    """Move embeddings of images to where those of texts that describe them would be: (n, embed_dim).

    Embeddings of texts lie apart from those of images, all in one direction, and are as near to the one that they
    describe as `_TEXT_COSINE`.
    """
    rng = np.random.default_rng(1)
    apart = rng.standard_normal(rows.shape[1], np.float32) + rng.standard_normal(rows.shape, np.float32)
    return moved(rows, apart, np.float32(_TEXT_COSINE))


def moved(rows: Array, directions: Array, cosine: Array | np.float32) -> Array:
    """Move embeddings in some directions, to some cosine with what they were: (n, embed_dim)."""
    across = directions - (directions * rows).sum(axis=1, keepdims=True) * rows
    found: Array = cosine * rows + np.sqrt(1 - cosine**2) * normalize(across)
    return found


def _prefix(space: Space) -> str:
    return f"{space.modality}-{space.generation}-"


def _usearch() -> Any:
    try:
        import usearch.index
    except ImportError as error:
        raise MissingPackageError('an HNSW index needs usearch: pip install "numpyclip[graph]".') from error
    return usearch.index
