"""MEMORY → the system: what large images took is given back."""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_THRESHOLD = 8 << 20  # bytes: less than a block of Pillow's, more than most arrays of a model


def give_back_large_blocks() -> None:
    """Have glibc return large blocks to the system as soon as they are freed.

    By default it keeps blocks of up to 32 MiB for later once one has been freed (mallopt(3), M_MMAP_THRESHOLD), in an
    arena for each thread: after eight images of 64 megapixels, a gigabyte.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
