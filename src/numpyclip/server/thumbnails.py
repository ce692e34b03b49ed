"""Small pictures for a page: drawn anew, so that nothing of a file but what is seen leaves this machine."""

from __future__ import annotations

import threading
from collections import OrderedDict
from io import BytesIO

from numpyclip.images.open import open_picture
from numpyclip.tasks.sheet import thumbnail

SIDES = (320, 1600)  # in pixels: in the grid, and one by itself
_KEPT = 64 << 20  # bytes


def thumbnail_bytes(path: str, side: int) -> bytes:
    """Draw a picture as a JPEG file without metadata, on white, no side longer than `side`; small ones stay small.

    Raises
    ------
    PictureError
        If it cannot be read.
    """
    picture = open_picture(path, draft_size=side)
    stream = BytesIO()
    small = thumbnail(picture, min(side, max(picture.size)))
    small.info = {}  # where Pillow keeps EXIF data, profiles and comments, which it would write again
    small.save(stream, "JPEG", quality=82, optimize=True)
    return stream.getvalue()


class Thumbnails:
    """Those that were asked for last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, str], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, path: str, side: int, version: str) -> bytes:
        """Return a thumbnail of a version of a file."""
        key = (path, side, version)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        drawn = thumbnail_bytes(path, side)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = drawn
                self._bytes += len(drawn)
            while self._bytes > _KEPT:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped)
        return drawn
