"""Pillow's warnings and its limit of pixels, which are settings of the process, for one image on one thread.

Its warnings name no file, and its limit of pixels is a global variable. While a thread watches an image, Pillow's
warnings on that thread become notes about that image, and the image's own limit holds, also for images nested in it.
Other threads, and what users do with Pillow themselves, keep their warnings and limits.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, wraps
from typing import Any

from numpyclip.errors import PictureError
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions

_MOST_NOTES = 3  # about one image: damaged EXIF data may have 65,535 tags
_MOST_ROWS = 1 << 18  # or columns: Pillow takes memory and time for each row, however short
_LEAST_SHARE = 0.95  # of an image that is accepted
_ANY_SIZE = DecodeOptions(max_pixels=sys.maxsize)


@dataclass
class Watch:
    """An image that is being opened or decoded."""

    name: str
    options: DecodeOptions = DEFAULTS
    notes: dict[str, None] = field(default_factory=dict)  # a set in order

    def note(self, text: str) -> None:
        """Remember a note about the image, for a warning in the end."""
        if len(self.notes) < _MOST_NOTES:
            self.notes[text] = None

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise PictureError if the image, or one nested in it, has too many pixels."""
        width, height = size
        if width * height > self.options.max_pixels:
            raise PictureError(
                f"{self.name}: has {width} x {height} pixels, {width * height} in all; expected at most "
                f"{self.options.max_pixels}. A larger max_pixels (--max-pixels) allows more."
            )
        if max(size) > _MOST_ROWS:
            raise PictureError(f"{self.name}: is {width} x {height} pixels; expected at most {_MOST_ROWS} on a side.")

    def check_memory(self, size: int) -> None:
        """Raise PictureError if decoding the image takes too many bytes."""
        most = self.options.max_memory
        if most is not None and size > most:
            raise PictureError(f"{self.name}: needs {size} bytes to be decoded; expected at most {most} here.")


class _Local(threading.local):
    watch: Watch | None = None


_LOCAL = _Local()
_FILTERS = threading.Lock()


class _OnThisThread:
    """In the place of a compiled pattern of a warning's text: matches, and takes, those about a watched image."""

    pattern = "(?!)"  # what scikit-learn compiles in its workers: matches nothing

    def match(self, text: str) -> bool:
        if _LOCAL.watch is None:
            return False
        _LOCAL.watch.note(text)
        return True


_FILTER: Any = ("ignore", _OnThisThread(), UserWarning, None, 0)


@contextmanager
def watched(name: str, options: DecodeOptions = DEFAULTS) -> Iterator[Watch]:
    """Watch over an image; if it could be read, each note about it becomes a warning that begins with its name."""
    with _watching(Watch(name, options)) as watch:
        yield watch
    for text in watch.notes:
        warnings.warn(f"{name}: {text}", stacklevel=1)  # images are read on threads, where no line is the caller's


@contextmanager
def quietly() -> Iterator[None]:
    """Look at a header, of which nothing needs to be said: all that is said when the image itself is decoded."""
    with _watching(_LOCAL.watch or Watch("", _ANY_SIZE)):
        yield


@contextmanager
def _watching(watch: Watch) -> Iterator[Watch]:
    _set_up()
    _filter_first()
    outer, _LOCAL.watch = _LOCAL.watch, watch
    try:
        yield watch
    finally:
        _LOCAL.watch = outer


def _filter_first() -> None:
    """Put the filter before those of others; `warnings.catch_warnings` and others replace or precede it."""
    with _FILTERS:
        filters: Any = warnings.filters
        if filters[:1] != [_FILTER]:
            filters.insert(0, _FILTER)
            if _FILTER in filters[1:]:  # removed afterwards, so that none is missing meanwhile
                del filters[filters.index(_FILTER, 1)]


def accept(share: float) -> None:
    """Note that the end of the image that this thread watches is missing; PictureError if too much of it is."""
    watch = _LOCAL.watch or Watch("the image")
    found = f"its end is missing, {share:.1%} of it is there"
    if share < _LEAST_SHARE or watch.options.strict_files:
        raise PictureError(f"{watch.name}: cannot be read as an image ({found}).")
    watch.note(f"{found}.")


@cache
def _set_up() -> None:
    """Let Pillow ask the watch about sizes, where there is one."""
    from PIL import Image

    theirs = Image._decompression_bomb_check

    @wraps(theirs)
    def check(size: tuple[int, int], **options: Any) -> None:
        if _LOCAL.watch is None:
            theirs(size, **options)
        else:
            _LOCAL.watch.check_size(size)

    Image._decompression_bomb_check = check
