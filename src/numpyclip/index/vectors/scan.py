"""Exact search: every row is compared with every query, block by block, by BLAS."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from numpyclip.index.vectors.shards import Rows, Shards
from numpyclip.model.ops import Array

_BLOCK = 1 << 22  # numbers compared at once: 16 MiB of float32
_ROUNDED_BLOCK = 1 << 19  # that are made float32 first, so they had better stay in the cache
_NOISE = 1e-5  # of cosines: far above what float32 sums of some thousand terms are off


def nearest(
    shards: Shards, count: int, queries: Array, n: int, allowed: Rows | None = None
) -> list[tuple[Rows, Array]]:
    """Find the rows with the largest scalar products.

    With a rounded copy the result is the same: a row is left out only if its error, which is known, cannot make it one
    of the best, and those that are not left out are compared again as float32.

    Parameters
    ----------
    shards, count
        The first `count` rows are valid.
    queries : ndarray of shape (m, embed_dim), dtype=float32
    n : int
        How many are wanted.
    allowed : ndarray of shape (k,), dtype=intp, optional
        The rows that are compared, in order; all if not given.

    Returns
    -------
    list of (rows, scores)
        For each query at most `n`, the best first; of equal ones the first row.
    """
    step = max(1, _BLOCK // queries.shape[1])
    if allowed is not None:
        some = (allowed[start : start + step] for start in range(0, len(allowed), step))
        return nearest_of(((rows, shards.take(rows, count)) for rows in some), queries, n)
    if shards.precision == "float32":
        return nearest_of(shards.blocks(count, step), queries, n)
    possible = ((query, _candidates(shards, count, query, n)) for query in queries)
    return [nearest_of([(rows, shards.take(rows, count))], query[np.newaxis], n)[0] for query, rows in possible]


def nearest_of(blocks: Iterable[tuple[Rows | int, Array]], queries: Array, n: int) -> list[tuple[Rows, Array]]:
    """Find the nearest rows in blocks, as `nearest` does: numbers of rows in order, or of the first, and embeddings."""
    best = [_Best(n) for _ in queries]
    for rows, block in blocks:
        _compare(best, rows, block, queries)
    return [(found.rows, found.scores) for found in best]


def _compare(best: list[_Best], rows: Rows | int, block: Array, queries: Array) -> None:
    """Compare a block with all queries; rows are numbered as given, or from a number on."""
    scores = block @ queries[0] if len(queries) == 1 else queries @ block.T
    for found, row_of_scores in zip(best, np.atleast_2d(scores), strict=True):
        found.add(rows, row_of_scores)


def _candidates(shards: Shards, count: int, query: Array, n: int) -> Rows:
    """Find all rows that may be among the best, by the rounded copy: (k,)."""
    length = np.float32(np.linalg.norm(query))
    sure = _Best(n)  # by the least score that a row can have
    rows, most = [], []
    for first, codes, scale, error in shards.rounded_blocks(count, max(1, _ROUNDED_BLOCK // len(query))):
        scores = codes @ query
        scores *= scale
        error *= length
        error += np.float32(_NOISE)
        sure.add(first, scores - error)
        scores += error
        possible = np.flatnonzero(scores >= sure.floor)
        rows.append(possible + first)
        most.append(scores[possible])
    if not rows:
        return np.empty(0, np.intp)
    chosen: Rows = np.concatenate(rows)[np.concatenate(most) >= sure.floor]
    return chosen


class _Best:
    """The best `n` rows so far."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.rows: Rows = np.empty(0, np.intp)
        self.scores: Array = np.empty(0, np.float32)

    @property
    def floor(self) -> float:
        """What a score must reach to count."""
        return float(self.scores[-1]) if len(self.scores) == self.n else -np.inf

    def add(self, rows: Rows | int, scores: Array) -> None:
        """Take in rows, given as they are or by the number of the first, which come after all that were taken in."""
        chosen: NDArray[np.intp] = np.flatnonzero(scores > self.floor)
        if len(chosen) > 4 * self.n:  # the first block: sort no more than needed
            least = np.partition(scores[chosen], -self.n)[-self.n]
            chosen = chosen[scores[chosen] >= least]
        if not len(chosen):
            return
        numbers = chosen + rows if isinstance(rows, int) else rows[chosen]
        numbers = np.concatenate([self.rows, numbers])
        values = np.concatenate([self.scores, scores[chosen]])
        order = np.lexsort((numbers, -values))[: self.n]
        self.rows, self.scores = numbers[order], values[order]
