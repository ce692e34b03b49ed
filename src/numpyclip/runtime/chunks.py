"""Split inputs into chunks, run these on threads, and join the results.

A chunk runs through a whole tower on one thread: chunks never wait for each other, as BLAS's threads do at every
product, and their activations stay in the cache. A small input uses BLAS's threads instead.

An engine has threads of its own, so that its chunks run one after another: see `numpyclip.engines.engine_tower`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError
from numpyclip.model.ops import Array
from numpyclip.runtime import threads

_T = TypeVar("_T")

# The maximum cost of a chunk, in tokens: their activations stay in the cache. Two threads with less than 100 tokens
# each are slower than BLAS's own on all.
_IMAGE_COST = 800
_TEXT_COST = 400
_LOW_MEMORY_COST = 1600  # of either, as every chunk converts the weights of each block
_MIN_COST = 100
_PADDING = 24  # tokens that take an engine less time than another batch


def checked_batch_size(size: object) -> int:
    """Return a batch size; raise InputError if it is none."""
    count = whole_number(size)
    if count is None or not 1 <= count <= sys.maxsize:
        raise InputError(f"batch_size is {size!r:.60}; expected an integer of 1 or more.")
    return count


def batched(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut an iterable into lists of `size` items, the last maybe shorter, without reading ahead."""
    size = checked_batch_size(size)
    try:
        iterator = iter(items)
    except TypeError as error:
        raise InputError(f"got {items!r:.60}; expected a list or another iterable.") from error
    while batch := list(islice(iterator, size)):
        yield batch


def in_chunks(
    tower: Callable[[Any], Array], inputs: NDArray[Any], cost: int, embed_dim: int, low_memory: bool = False
) -> Array:
    """Apply a tower to any number of inputs of equal cost in tokens, and truncate embeddings: (n, ...) -> (n, e)."""
    most = _LOW_MEMORY_COST if low_memory else _IMAGE_COST
    embeddings = np.empty((len(inputs), embed_dim), np.float32)

    def compute(rows: slice) -> None:
        embeddings[rows] = tower(inputs[rows])[:, :embed_dim]

    threads.run([partial(compute, rows) for rows in _cut(len(inputs), cost, most)])
    return embeddings


def tokens_in_chunks(tower: Callable[[Any], Array], inputs: NDArray[Any], cost: int, low_memory: bool = False) -> Array:
    """Apply a function to any number of inputs of equal cost in tokens: (n, ...) -> (n, ...), of any shape."""
    if not len(inputs):  # the shape is that of any input's tokens
        return tower(np.zeros((1, *inputs.shape[1:]), inputs.dtype))[:0]
    most = _LOW_MEMORY_COST if low_memory else _IMAGE_COST
    made: list[Array] = []
    lock = threading.Lock()

    def compute(rows: slice) -> None:
        tokens = tower(inputs[rows])
        with lock:
            if not made:
                made.append(np.empty((len(inputs), *tokens.shape[1:]), np.float32))
        made[0][rows] = tokens

    threads.run([partial(compute, rows) for rows in _cut(len(inputs), cost, most)])
    return made[0]


def by_length(
    tower: Callable[[Any], Array],
    ids: NDArray[np.integer],
    lengths_of: Callable[[NDArray[np.integer]], NDArray[np.integer]],
    embed_dim: int,
    low_memory: bool = False,
    pad_id: int = 0,
) -> Array:
    """Apply a text tower to rows of ids without duplicates and padding, and truncate embeddings: (n, tokens) -> (n, e).

    With causal attention, padding has no effect, and is nine tenths of a short prompt. A chunk has texts of similar
    length, the longest first, sorted so that they have a long shared prefix, which the tower computes once.
    """
    most = _LOW_MEMORY_COST if low_memory else _TEXT_COST
    texts = Texts.of(ids, lengths_of, pad_id)
    rows, lengths, order = texts.rows, texts.lengths, texts.order
    embeddings = np.empty((len(rows), embed_dim), np.float32)

    def compute(part: NDArray[np.integer]) -> None:
        embeddings[part] = tower(rows[part, : lengths[part[0]]])[:, :embed_dim]

    chunks = _cut_texts(rows[order], lengths[order], most)
    threads.run([partial(compute, order[chunk]) for chunk in chunks])
    of_all: Array = embeddings[texts.copies]
    return of_all


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts without duplicates, and with padding in place of what has no effect.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, n_tokens)
        Sorted: neighbors have a long shared prefix.
    lengths : ndarray of shape (n_rows,)
    copies : ndarray of shape (n_texts,)
        The row of each text.
    """

    rows: NDArray[np.integer]
    lengths: NDArray[np.integer]
    copies: NDArray[np.integer]

    @classmethod
    def of(
        cls, ids: NDArray[np.integer], lengths_of: Callable[[NDArray[np.integer]], NDArray[np.integer]], pad_id: int
    ) -> Texts:
        """Sort rows of ids: (n, tokens)."""
        lengths = lengths_of(ids)
        ids = ids[:, : lengths.max(initial=1)]  # of 8192 tokens, say, most rows need a few
        texts = np.where(np.arange(ids.shape[1]) < lengths[:, np.newaxis], ids, pad_id)
        rows, copies = np.unique(texts, axis=0, return_inverse=True)
        return cls(rows, lengths_of(rows), copies.reshape(-1))

    @property
    def order(self) -> NDArray[np.integer]:
        """The rows with the longest first: (n_rows,)."""
        return np.argsort(-self.lengths, kind="stable")

    def parts(self, most: int) -> Iterator[NDArray[np.integer]]:
        """Group rows of similar length, the longest first: at most as many tokens as given, or one row."""
        order, start = self.order, 0
        while start < len(order):
            longest, end, padding = self.lengths[order[start]], start + 1, 0
            while end < len(order) and (end + 1 - start) * longest <= most:
                padding += longest - self.lengths[order[end]]
                if padding > max(_PADDING, (end + 1 - start) * longest // 16):
                    break
                end += 1
            yield order[start:end]
            start = end


def equal_parts(n: int, cost: int, most: int) -> list[slice]:
    """Cut n inputs into parts of similar size and at most a cost, or of one input."""
    return _slices(n, min(-(-n * cost // most), n))


def _cut(n: int, cost: int, most: int) -> list[slice]:
    """Cut n inputs into chunks of similar size and at most a cost, or of one input, that keep all threads busy."""
    total = n * cost
    if total < 2 * _MIN_COST or n < 2:
        return [slice(0, n)] if n else []
    rounds = -(-total // (most * threads.count()))
    return _slices(n, min(rounds * threads.count(), total // _MIN_COST, n))


def _slices(n: int, count: int) -> list[slice]:
    ends = [n * (i + 1) // count for i in range(count)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _cut_texts(rows: NDArray[np.integer], lengths: NDArray[np.integer], most: int) -> list[slice]:
    """Cut texts into chunks of at most a cost, or of one text, that keep all threads busy.

    A chunk costs the shared prefix of its texts once, and the rest of every text, padded to the longest.
    """
    prefixes = np.cumprod(rows[1:] == rows[:-1], axis=1).sum(axis=1).tolist()  # of neighbors, in tokens
    chunks, cost = _cut_sequence(lengths.tolist(), prefixes, most)
    if cost < 2 * _MIN_COST:
        return chunks
    count = threads.count() * -(-cost // (threads.count() * most))
    equal_share = cost // count + cost // len(rows) + 1  # with room for one more text, at which a chunk would end
    chunks, _ = _cut_sequence(lengths.tolist(), prefixes, max(equal_share, _MIN_COST))
    return chunks


def _cut_sequence(lengths: list[int], prefixes: list[int], most: int) -> tuple[list[slice], int]:
    """Fill chunks greedily with one text after another; return the chunks, and their total cost."""
    chunks, cost, start = [], 0, 0
    while start < len(lengths):
        longest = shared = chunk = lengths[start]
        end = start + 1
        while end < len(lengths):
            prefix = min(shared, prefixes[end - 1])
            longer = prefix + (end + 1 - start) * (longest - prefix)
            if longer > most or (chunk >= _MIN_COST and longest > 2 * lengths[end]):  # half would be padding
                break
            shared, chunk, end = prefix, longer, end + 1
        chunks.append(slice(start, end))
        cost += chunk
        start = end
    return chunks, cost
