"""Thumbnails for the page, re-encoded so that no metadata of the image file is sent."""

from __future__ import annotations

import threading
from collections import OrderedDict

from numpyclip.images.decode_options import DecodeOptions
from numpyclip.viz.thumbnail import thumbnail_bytes

SIZES = (320, 1600)  # pixels of the longer side: in the grid, and enlarged
_MAX_BYTES = 64 << 20  # of the cache


class ThumbnailCache:
    """A least-recently-used cache, for use from many threads."""

    def __init__(self, options: DecodeOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, int, str], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, path: str, size: int, version: str) -> bytes:
        """Return a thumbnail, from the cache if `version` of the file is there."""
        key = (path, size, version)
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        data = thumbnail_bytes(path, size, self._options)
        with self._lock:
            if key not in self._entries:
                self._entries[key] = data
                self._bytes += len(data)
            while self._bytes > _MAX_BYTES:
                _, dropped = self._entries.popitem(last=False)
                self._bytes -= len(dropped)
        return data
