"""Which views of its pictures an index has embeddings of: in every index the crop, and those that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TypeAlias

from numpyclip.errors import InputError
from numpyclip.images.find import FileState
from numpyclip.images.preprocess import Preprocess
from numpyclip.images.views import CROP, View, checked_views, view_of, views_of
from numpyclip.index.database import Connection, Damage
from numpyclip.index.database.sql import checked, meta, set_meta
from numpyclip.index.picture_rows import files_of
from numpyclip.index.records import WHOLE, seconds_of
from numpyclip.index.rows import keys_of
from numpyclip.index.vectors import Space

_PAGE = 4096  # pictures at once

Lacking: TypeAlias = tuple[bytes, list[tuple[str, FileState]], set[str]]  # a digest, files, and parts
ExpectedParts: TypeAlias = Callable[[int, int], Collection[str]]  # given width and height


def part_of(name: str) -> str:
    """Return the part of a picture that a view is of."""
    return WHOLE if name == "crop" else name


def expected_parts(preprocess: Preprocess, views: tuple[View, ...]) -> ExpectedParts:
    """Return what tells of which parts of a picture there are to be embeddings."""
    return lambda width, height: {part_of(view.name) for view in views_of(preprocess, views, width, height)}


def recorded_views(connection: Connection) -> tuple[View, ...]:
    """Return the views of an index."""
    written = meta(connection, "views") or ",".join(CROP)
    try:
        return checked_views(written.split(","))
    except InputError:
        raise Damage(f"holds {written!r:.60} for the views of pictures") from None


def record_views(connection: Connection, views: tuple[View, ...]) -> None:
    """Record the views of an index, and remove embeddings of others."""
    set_meta(connection, views=",".join(views))
    rows = connection.execute("SELECT DISTINCT part FROM vectors WHERE side = 'pictures'").fetchall()
    for (part,) in (checked(row, str) for row in rows):
        if part != WHOLE and seconds_of(part) is None and view_of(part) not in views:
            connection.execute("DELETE FROM vectors WHERE side = 'pictures' AND part = ?", (part,))


def lacking_after(
    connection: Connection, space: Space, last: int, expected: ExpectedParts
) -> tuple[int | None, Iterator[Lacking]]:
    """Look for embeddings that are missing, of some pictures of which there is one, with their files on this machine.

    `last` is the number of the last picture that was looked at; the one of this call is returned, None at the end.
    """
    sql = "SELECT id, digest, width, height FROM pictures WHERE id > ? ORDER BY id LIMIT ?"
    some = [checked(row, int, bytes, int, int) for row in connection.execute(sql, (last, _PAGE))]
    have: dict[int, set[str]] = {number: set() for number, *_ in some}
    for number, part in keys_of(connection, space, have):
        have[number].add(part)
    missing = {}
    for number, digest, width, height in some:
        if WHOLE in have[number] and (parts := set(expected(width, height)) - have[number]):  # a video has no whole
            missing[number] = digest, parts
    files = files_of(connection, list(missing))
    found = (
        (digest, [(path, state) for path, state, *_ in files[number] if state.is_here], parts)
        for number, (digest, parts) in missing.items()
    )
    return (some[-1][0] if some else None), found
