"""Checksums of arrays against damage and mix-ups, not against forgery.

A row is summed up as in NH of UMAC (RFC 4418, 5.2.2): the two halves of each word of eight bytes, each plus a key of
its place, are multiplied, modulo 2 ** 64. Two rows of the same length have the same checksum with a chance of
2 ** -32, as with CRC-32, wherever they differ, and NumPy computes it for many rows at once.
"""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.runtime import threads
from numpyclip.weights.safetensors import Unwritten

_ROW = 4096  # bytes of an array that has no rows of its own
_AT_ONCE = 1 << 18  # bytes, which stay in the processor's cache
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


def row_checksums(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """Return the checksum of each row (n, ...) of any dtype: (n,)."""
    if not len(rows):
        return np.empty(0, np.uint64)
    data = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
    if rest := -data.shape[1] % 8:
        data = np.pad(data, ((0, 0), (0, rest)))
    keys, found = _keys(data.shape[1] // 4), np.empty(len(data), np.uint64)
    step = max(1, _AT_ONCE // max(1, data.shape[1]))
    for start in range(0, len(data), step):
        words = (data[start : start + step].view("<u4") + keys).astype("<u4", copy=False).view("<u8")
        high = words >> _HALF
        words &= _LOW
        words *= high
        words.sum(axis=1, out=found[start : start + step])
    return found


def checksum(tensors: Iterable[Unwritten], about: str) -> str:
    """Return the checksum of tensors, their names, shapes and dtypes, and of what they are about, in hexadecimal."""
    digest = hashlib.blake2b(about.encode(), digest_size=16)
    tensors = sorted(tensors, key=attrgetter("name"))
    with ThreadPoolExecutor(threads.count()) as pool:  # more would take turns
        for tensor, content in zip(tensors, pool.map(_content, tensors), strict=True):
            digest.update(f"\n{tensor.name} {tensor.kind} {tensor.shape}\n".encode() + content)
    return digest.hexdigest()


def _content(tensor: Unwritten) -> bytes:
    """Return the checksums of whole rows of a tensor's bytes, and the bytes behind them."""
    data = np.ascontiguousarray(tensor.make()).reshape(-1).view(np.uint8)
    rows = data[: data.size - data.size % _ROW].reshape(-1, _ROW)
    return row_checksums(rows).astype("<u8", copy=False).tobytes() + data[rows.size :].tobytes()


@cache
def _keys(count: int) -> NDArray[np.uint32]:
    """Make as many numbers without order as a row has halves of words, the same on every machine (SplitMix64)."""
    keys = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    halves: NDArray[np.uint32] = ((keys ^ (keys >> np.uint64(31))) >> _HALF).astype("<u4")
    return halves
