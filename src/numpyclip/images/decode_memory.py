"""MEMORY FOR IMAGES: how much all threads of this process may read, decode and resize at once.

A thread asks for memory for a file, then for its pixels, then to resize these, so that no two wait for each other.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

MAX_MEMORY = 1 << 30  # bytes, for the pixels of images, again for their files, and again to resize them

_LARGE = 1 << 28  # bytes

# Memory that decoding takes at most, with a copy for the orientation; some decoders keep copies of their own.
_USUAL_BYTES_PER_PIXEL = 8
_BYTES_PER_PIXEL = {"WEBP": 16, "AVIF": 16, "HEIF": 16, "JPEG2000": 20, "RAW": 20}
_PROGRESSIVE_BYTES_PER_PIXEL = 6  # of the full size: libjpeg keeps all coefficients


class MemoryLimit:
    """A semaphore that counts bytes.

    First come, first served; a request above the limit waits until nothing else is held.
    """

    def __init__(self, size: int = MAX_MEMORY) -> None:
        self._free = self._size = size
        self._turn: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def take(self, count: int) -> Iterator[None]:
        """Wait until there are so many bytes, and hold them."""
        count, ticket = min(count, self._size), object()
        with self._changed:
            self._turn.append(ticket)
            try:
                self._changed.wait_for(lambda: self._turn[0] is ticket and self._free >= count)
                self._free -= count
            finally:
                self._turn.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            if count >= _LARGE:
                return_memory()
            with self._changed:
                self._free += count
                self._changed.notify_all()


@cache
def _malloc_trim() -> Callable[[int], int]:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    return trim or (lambda _: 0)  # other C libraries have none


def return_memory() -> None:
    """Return freed memory to the system: glibc keeps the blocks of images in an arena for each thread."""
    _malloc_trim()(0)


DECODE_MEMORY = MemoryLimit()
FILE_MEMORY = MemoryLimit()
RESIZE_MEMORY = MemoryLimit()


def decoding_memory(image: Image.Image) -> int:
    """Compute how many bytes decoding takes at most."""
    pixels = image.width * image.height
    memory = pixels * _BYTES_PER_PIXEL.get(image.format or "", _USUAL_BYTES_PER_PIXEL)
    if image.info.get("progressive"):
        scale = (getattr(image, "decoderconfig", None) or (1,))[0]  # of the draft
        memory += pixels * scale**2 * _PROGRESSIVE_BYTES_PER_PIXEL
    return memory
