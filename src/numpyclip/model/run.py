"""How many inputs are cut into batches and put together again."""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.model.ops import Array

_T = TypeVar("_T")

# A tower computes so many inputs at once: enough to keep large products busy, few enough that the activations of
# any of OpenAI's models stay below a gigabyte.
MAX_CHUNK = 32
_CHUNK_NUMBERS = 2**22  # 27 pictures of 224 x 224, 6 of 448 x 448
_CHUNK_TOKENS = 32 * 77  # 32 texts of full length, 274 of nine tokens


def batched(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut any iterable into lists of `size` items; the last may be shorter. Nothing is read ahead."""
    if not (isinstance(size, int) and 1 <= size <= sys.maxsize):
        raise InputError(f"batch_size is {size!r:.60}; expected a whole number of 1 or more.")
    try:
        iterator = iter(items)
    except TypeError as error:
        raise InputError(f"got {items!r:.60}; expected a list, or anything else to iterate over.") from error
    while batch := list(islice(iterator, size)):
        yield batch


def in_chunks(tower: Callable[[Any], Array], inputs: NDArray[Any], embed_dim: int) -> Array:
    """Apply a tower to an array of any length, so that memory grows only with the embeddings: (n, ...) -> (n, e)."""
    embeddings = np.empty((len(inputs), embed_dim), np.float32)
    chunk = min(max(_CHUNK_NUMBERS // max(inputs[:1].size, 1), 1), MAX_CHUNK)
    for start in range(0, len(inputs), chunk):
        embeddings[start : start + chunk] = tower(inputs[start : start + chunk])
    return embeddings


def by_length(tower: Callable[[Any], Array], ids: NDArray[np.integer], embed_dim: int) -> Array:
    """Apply a text tower to rows of ids, (n, tokens) -> (n, e), each text once and without what is behind its end.

    No token looks ahead, so the padding behind the end mark, nine tenths of a short prompt, changes nothing.
    Texts of like length go together, the longest first.
    """
    rows, copies = np.unique(ids, axis=0, return_inverse=True)
    lengths = rows.argmax(axis=1) + 1  # the end mark has the highest id
    order = np.argsort(-lengths, kind="stable")
    embeddings = np.empty((len(rows), embed_dim), np.float32)
    while len(order):
        n = lengths[order[0]]
        part, order = np.split(order, [max(_CHUNK_TOKENS // n, 1)])
        embeddings[part] = tower(rows[part, :n])
    every: Array = embeddings[copies.reshape(-1)]
    return every
