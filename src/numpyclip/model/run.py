"""How many inputs are cut into batches and put together again."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.model.ops import Array

_T = TypeVar("_T")

CHUNK = 8  # inputs that a tower computes at once: activations of ViT-L/14@336px then take about half a gigabyte


def batched(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut any iterable into lists of `size` items; the last may be shorter. Nothing is read ahead."""
    if size < 1:
        raise InputError(f"batch_size is {size}; expected 1 or more.")
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def in_chunks(tower: Callable[[Any], Array], inputs: NDArray[Any], embed_dim: int) -> Array:
    """Apply a tower to an array of any length, so that memory grows only with the embeddings: (n, ...) -> (n, e)."""
    embeddings = np.empty((len(inputs), embed_dim), np.float32)
    for start in range(0, len(inputs), CHUNK):
        embeddings[start : start + CHUNK] = tower(inputs[start : start + CHUNK])
    return embeddings
