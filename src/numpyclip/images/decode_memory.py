"""MEMORY FOR IMAGES: how much all threads of this process may read and decode at once.

A thread that holds memory for pixels asks for none for a file, so that no two threads wait for each other.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

MAX_MEMORY = 1 << 30  # bytes, for the pixels of images, and again for their files


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
            with self._changed:
                self._free += count
                self._changed.notify_all()


DECODE_MEMORY = MemoryLimit()
FILE_MEMORY = MemoryLimit()
