"""Checksums of rows and of their positions, which detect rows that were damaged, zeroed or moved.

That is against accidents: who can change rows can change their checksums, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numpyclip.runtime.checksum import row_checksums

Checksums = NDArray[np.uint64]

_PLACE = np.uint64(0xC2B2AE3D27D4EB4F)  # odd, and otherwise any


def checksums(rows: NDArray[np.generic], first: int) -> Checksums:
    """Return the checksum of each of some rows of a file, `first` being the place of the first of them.

    Parameters
    ----------
    rows : ndarray of shape (n, ...)
        Of any dtype.
    first : int
    """
    return at_places(rows, np.arange(first, first + len(rows)))


def at_places(rows: NDArray[np.generic], places: NDArray[np.intp]) -> Checksums:
    """Return the checksum of each of some rows of a file, which are at these places."""
    found: Checksums = row_checksums(rows) + (places.astype(np.uint64) + np.uint64(1)) * _PLACE
    return found
