"""Recall of an HNSW search: with which queries it is measured, and which share of their nearest rows it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from numpyclip.index.vectors import Recall
from numpyclip.index.vectors.shards import Rows
from numpyclip.model.ops import Array, normalize

QUERIES, NEAREST = 200, 10  # of each kind, to measure with, and how many neighbors of each
CANDIDATES = (256, 512, 1024, 2048, 4096)  # of a graph; of more rows it takes more to find the nearest
_WIDTH = 8  # candidates for each row that is wanted, at least
_ENOUGH = 0.95  # with the fewest candidates that reach this recall it is searched
_TEXT_COSINE = 0.3  # of a text and the image that it describes


def candidates(n: int, least: int) -> int:
    """Return how many candidates of a graph are compared again, to find the `n` nearest among them."""
    return max(least, _WIDTH * n)


def measure(
    search: Callable[[int], Iterable[Sequence[int] | Rows]],
    exact: Sequence[tuple[Rows, Array]],
    most: int | None = None,
) -> Recall:
    """Compare searches with so many candidates with exhaustive ones; return the first recall that is high enough.

    If none is, it is that of the most candidates, or of `most` if there may be no more.
    """
    counts = CANDIDATES if most is None else (*(count for count in CANDIDATES if count < most), most)
    for count in counts:
        recall = recall_of(search(count), exact, count)
        if recall.least >= _ENOUGH:
            break
    return recall


def recall_of(found: Iterable[Sequence[int] | Rows], exact: Sequence[tuple[Rows, Array]], candidates: int) -> Recall:
    """Compare what a graph finds with exhaustive search: for images, and for as many queries moved as texts are."""
    queries = len(exact) // 2
    hits = [len(np.intersect1d(rows, best)) for rows, (best, _) in zip(found, exact, strict=True)]
    wanted = [len(np.unique(best)) for best, _ in exact]  # of an image there may be several embeddings
    images, texts = (
        sum(hits[part]) / sum(wanted[part]) if any(wanted[part]) else 1.0
        for part in (slice(queries), slice(queries, None))
    )
    return Recall(images, texts, queries, NEAREST, candidates)


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
