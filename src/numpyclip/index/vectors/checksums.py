"""Checksums of rows: any that was damaged, zeroed or moved is told.

A row is a polynomial of its words at an odd number, modulo 2 ** 64, which NumPy computes as fast as memory is read; its
place is added. That is against accidents: who can change rows can change their checksums, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Checksums = NDArray[np.uint64]

_BASE, _PLACE = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F  # odd, and otherwise any
_AT_ONCE = 1 << 12  # rows


def checksums(rows: NDArray[np.generic], first: int) -> Checksums:
    """Return the checksum of each of some rows of a file, `first` being the place of the first of them.

    Parameters
    ----------
    rows : ndarray of shape (n, ...)
        Of any dtype.
    first : int
    """
    if len(rows) > _AT_ONCE:
        starts = range(0, len(rows), _AT_ONCE)
        return np.concatenate([checksums(rows[start : start + _AT_ONCE], first + start) for start in starts])
    return at_places(rows, np.arange(first, first + len(rows)))


def at_places(rows: NDArray[np.generic], places: NDArray[np.intp]) -> Checksums:
    """Return the checksum of each of some rows of a file, which are at these places."""
    if not len(rows):
        return np.empty(0, np.uint64)
    data = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
    size = next(size for size in (8, 4, 2, 1) if data.shape[1] % size == 0)
    words = data.view(f"<u{size}").astype(np.uint64, copy=False)
    powers = np.cumprod(np.full(words.shape[1], _BASE, np.uint64), dtype=np.uint64)
    found: Checksums = words @ powers + (places.astype(np.uint64) + np.uint64(1)) * np.uint64(_PLACE)
    return found
