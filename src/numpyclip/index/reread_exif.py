"""EXIF data of images that an earlier version has indexed, which knew no cameras, lenses and time zones."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from numpyclip.errors import PictureError
from numpyclip.images.exif import Exif, read_exif
from numpyclip.images.find import FileState
from numpyclip.images.open import file_content
from numpyclip.index.picture_rows import storable
from numpyclip.index.scope import Scope
from numpyclip.index.store import Store

_AT_ONCE = 256  # images in one transaction


def reread_exif(store: Store, scope: Scope) -> None:
    """Read EXIF data of unchanged files once again, while there is time, without embedding them.

    Files that are gone, or on a disk that is, are left as they are, and read by an update that finds them.
    """
    below, missed = 1 << 62, 0
    while not scope.is_over() and (some := store.unread_exif(_AT_ONCE, below)):
        found = {number: exif for number, files in some.items() if (exif := _exif(files)) is not None}
        below = min(some)
        missed = max(missed, *(number for number, files in some.items() if files and number not in found), 0)
        store.replace_exif(found, max(missed + 1, below))


def _exif(files: list[tuple[str, FileState]]) -> Exif | None:
    for path, known in files:
        with suppress(PictureError):
            if storable(FileState.of(path)) == replace(known, digest=None):
                with file_content(path) as data:
                    return read_exif(data, path)
    return None
