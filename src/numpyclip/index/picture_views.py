"""The views of images that an index has, the crop and those that were requested: the part of `Store` for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import TypeAlias

from numpyclip.errors import InputError
from numpyclip.images.find import FileState
from numpyclip.images.preprocess import Preprocess
from numpyclip.images.views import CROP, View, checked_views, view_of, views_of
from numpyclip.index.database import Connection, Damage, Database
from numpyclip.index.database.sql import checked, meta, set_meta
from numpyclip.index.generations import searched
from numpyclip.index.picture_rows import files_of
from numpyclip.index.records import WHOLE, seconds_of
from numpyclip.index.rows import keys_of

_PAGE = 4096  # images at once
_VIEW = re.compile(r"pad|squash|middle|(?:left|right|top|bottom)(?:-[2-9])?")

Lacking: TypeAlias = tuple[bytes, list[tuple[str, FileState]], set[str]]  # a digest, files, and parts
ExpectedParts: TypeAlias = Callable[[int, int], Collection[str]]  # given width and height


def part_of(name: str) -> str:
    """Return the part of an image that a view is of."""
    return WHOLE if name == "crop" else name


def is_view(part: str) -> bool:
    """Tell whether a part is a view besides the crop."""
    return _VIEW.fullmatch(part) is not None


def expected_parts(preprocess: Preprocess, views: tuple[View, ...]) -> ExpectedParts:
    """Return what tells of which parts of an image there are to be embeddings."""
    return lambda width, height: {part_of(view.name) for view in views_of(preprocess, views, width, height)}


class Viewing:
    """See `Store`."""

    _database: Database

    @property
    def views(self) -> tuple[View, ...]:
        """Of which views of images it holds embeddings."""
        with self._database.reading() as connection:
            return _recorded(connection)

    def set_views(self, views: tuple[View, ...]) -> None:
        """Record the views of images, and remove embeddings of others; an update adds those that are missing."""
        with self._database.transaction() as connection:
            if views == _recorded(connection):
                return
            set_meta(connection, views=",".join(views))
            rows = connection.execute("SELECT DISTINCT part FROM vectors WHERE side = 'pictures'").fetchall()
            for (part,) in (checked(row, str) for row in rows):
                if is_view(part) and view_of(part) not in views:
                    connection.execute("DELETE FROM vectors WHERE side = 'pictures' AND part = ?", (part,))

    @property
    def animations(self) -> bool:
        """Whether animated images that are added have embeddings of their moments."""
        with self._database.reading() as connection:
            return meta(connection, "animations") == "moments"

    def set_animations(self, moments: bool) -> None:
        """Record whether animated images that are added are embedded by their moments, or by their first frame."""
        with self._database.transaction() as connection:
            set_meta(connection, animations="moments" if moments else "first frame")

    def lacking(self, expected: ExpectedParts, is_over: Callable[[], bool] = lambda: False) -> Iterator[Lacking]:
        """Iterate over images without the embedding of an expected part, but for videos, which have moments."""
        last = -1
        sql = "SELECT id, digest, width, height FROM pictures WHERE id > ? ORDER BY id LIMIT ?"
        while not is_over():
            with self._database.reading() as connection:
                some = [checked(row, int, bytes, int, int) for row in connection.execute(sql, (last, _PAGE))]
                have: dict[int, set[str]] = {number: set() for number, *_ in some}
                for number, part in keys_of(connection, searched(connection, "pictures"), have):
                    have[number].add(part)
                missing = {}
                for number, digest, width, height in some:
                    is_video = any(seconds_of(part) is not None for part in have[number])
                    if not is_video and (parts := set(expected(width, height)) - have[number]):
                        missing[number] = digest, parts
                files = files_of(connection, list(missing))
            for number, (digest, parts) in missing.items():
                yield digest, [(path, state) for path, state, *_ in files[number] if state.is_here], parts
            if not some:
                return
            last = some[-1][0]


def _recorded(connection: Connection) -> tuple[View, ...]:
    written = meta(connection, "views") or ",".join(CROP)
    try:
        return checked_views(written.split(","))
    except InputError:
        raise Damage(f"holds {written!r:.60} for the views of images") from None
