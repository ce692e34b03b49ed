"""Recall of a search in a graph: with which queries it is measured, and which share of their nearest it finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from numpyclip.index.vectors import Recall
from numpyclip.index.vectors.shards import Rows
from numpyclip.model.ops import Array, normalize

QUERIES, NEAREST = 200, 10  # of each kind, to measure with, and how many neighbours of each
_WIDTH = 8  # candidates for each row that is wanted, and at least 256
_LEAST = 256
_TEXT_COSINE = 0.3  # of a text and the picture that it describes


def candidates(n: int) -> int:
    """Return how many candidates of a graph are compared again, to find the `n` nearest among them."""
    return max(_LEAST, _WIDTH * n)


def recall_of(found: Iterable[Sequence[int] | Rows], exact: Sequence[tuple[Rows, Array]]) -> Recall:
    """Compare what a graph finds with exhaustive search: for images, and for as many queries moved as texts are."""
    queries = len(exact) // 2
    hits = [len(np.intersect1d(rows, best)) for rows, (best, _) in zip(found, exact, strict=True)]
    wanted = [len(best) for best, _ in exact]
    images, texts = (
        sum(hits[part]) / sum(wanted[part]) if any(wanted[part]) else 1.0
        for part in (slice(queries), slice(queries, None))
    )
    return Recall(images, texts, queries, NEAREST)


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
