"""Browsing an index without a query, by date, place, camera and lens: the part of `Store` for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from numpyclip.arguments import positive
from numpyclip.errors import InputError
from numpyclip.index import rows
from numpyclip.index.database import Connection, Database
from numpyclip.index.database.conditions import HAS_PLACE, conditions, of_files
from numpyclip.index.database.sql import checked
from numpyclip.index.generations import searched
from numpyclip.index.records import Match
from numpyclip.index.vectors import Found, Vectors
from numpyclip.index.where import EVERYWHERE, FIRST_MOMENT, Where

_MOST = 1 << 62  # rows, of which SQLite counts no more
_RECENT = 5000  # files, among which images are looked for first
_CURSOR = re.compile(r"(\d{4}(?:-\d\d){0,2}(?:T\d\d(?::\d\d){2})?)(?:/(\d{1,18}))?", re.ASCII)
# Copies of an image may have other dates: it is where the first of these is, but for files without one.
_FIRST_COPY = (
    "NOT EXISTS (SELECT 1 FROM files AS other WHERE other.picture = files.picture AND other.date <> files.date "
    f"AND other.date > '{FIRST_MOMENT}' AND (files.date = '{FIRST_MOMENT}' OR other.date < files.date) AND {{}})"
)


class Browsed(NamedTuple):
    """Some images, and after which the next ones come."""

    matches: list[Match]  # each with a cosine of 1, to itself
    cursor: str | None  # for `Store.browse(after=...)`; None if there are no more


class Place(NamedTuple):
    """A rectangle in which images were taken, as `Where.within` has it, and how many were."""

    south: float
    west: float
    north: float
    east: float
    latitude: float  # on average, as the longitude
    longitude: float
    pictures: int


class Browsing:
    """See `Store`."""

    _database: Database
    _vectors: Vectors

    def browse(self, where: Where = EVERYWHERE, n: int = 60, *, after: str | None = None) -> Browsed:
        """Return images by their dates, the newest first, and those without a date last.

        An image has the date of the first of its copies. What is added meanwhile changes nothing of what comes after.

        Parameters
        ----------
        where : Where, optional
        n : int, default=60
        after : str, optional
            The cursor of what was returned before; or a date or the beginning of one, such as ``2024-06``, to begin
            with what is older than that.

        Raises
        ------
        InputError
            If `after` is neither, or `n` no count.
        """
        count = positive(n, "n")
        cursor = None if after is None else _place_of(after)
        with self._database.reading() as connection:
            found = _newest(connection, where, min(count, _MOST) + 1, cursor)
            dates = {number: date for date, number in (checked(row, str, int) for row in found[:count])}
            matches = self._pictures(connection, list(dates), where)
        last = "/".join(map(str, found[count - 1])) if len(found) > count else None
        return Browsed([replace(match, date=dates[match.id]) for match in matches], last)

    def timeline(self, where: Where = EVERYWHERE) -> dict[str, int]:
        """Count images by month, such as ``2024-05``, the newest first; those without a date are under ``""``.

        `browse(after=...)` with the next month begins with one of them.
        """
        dated = f"min(CASE WHEN date > '{FIRST_MOMENT}' THEN substr(date, 1, 7) END)"
        with self._database.reading() as connection:
            condition, values = conditions(connection, where)
            sql = (
                f"SELECT coalesce(month, '') AS month, count(*) FROM (SELECT picture, {dated} AS month FROM files "
                f"WHERE {condition} GROUP BY picture) AS dated GROUP BY month ORDER BY month DESC"
            )
            return _counted(connection, sql, values)

    def cameras(self, where: Where = EVERYWHERE) -> dict[str, int]:
        """Count images by the camera they were taken with, the most frequent first."""
        return self._by_column("camera", where)

    def lenses(self, where: Where = EVERYWHERE) -> dict[str, int]:
        """Count images by the lens they were taken with, the most frequent first."""
        return self._by_column("lens", where)

    def places(self, where: Where = EVERYWHERE) -> list[Place]:
        """Count images by where they were taken, in cells of one degree, the most frequent first."""
        y, x = (  # what is on the last edge is in the last cell
            f"CASE WHEN {name} >= {end} THEN {end - 1} ELSE floor({name}) END"
            for name, end in (("latitude", 90), ("longitude", 180))
        )
        with self._database.reading() as connection:
            condition, values = _with_file(connection, where)
            sql = (
                f"SELECT {y} AS y, {x} AS x, avg(latitude), avg(longitude), count(*) AS pictures FROM pictures "
                f"WHERE {HAS_PLACE} AND {condition} GROUP BY 1, 2 ORDER BY pictures DESC, 1, 2"
            )
            found = connection.execute(sql, values).fetchall()
        return [Place(y, x, y + 1, x + 1, *more) for y, x, *more in found]

    def _by_column(self, column: str, where: Where) -> dict[str, int]:
        with self._database.reading() as connection:
            condition, values = _with_file(connection, where)
            sql = (
                f"SELECT {column}, count(*) AS pictures FROM pictures WHERE {column} IS NOT NULL AND {condition} "
                f"GROUP BY {column} ORDER BY pictures DESC, {column}"
            )
            return _counted(connection, sql, values)

    def _pictures(self, connection: Connection, numbers: list[int], where: Where) -> list[Match]:
        """Look up images in the order of their numbers, each with its first embedding."""
        space = searched(connection, "pictures")
        first = dict(reversed(rows.keys_of(connection, space, numbers)))
        found = self._vectors.take(connection, space, first.items())
        near = [
            Found(number, 1.0, found[number, first[number]], first[number]) for number in numbers if number in first
        ]
        return list(rows.matches(connection, "pictures", near, where))


def _newest(connection: Connection, where: Where, n: int, cursor: tuple[str, int] | None) -> list[tuple[str, int]]:
    """Find the dates and numbers of the newest images.

    Of conditions that are true of many images they are among the newest files, of which there is an index in order.
    Where not enough of them are, all images of which the conditions are true are listed, and sorted.
    """
    before, after = ("", ()) if cursor is None else (" AND (date, picture) < (?, ?)", cursor)
    in_time = Where(after=where.after, before=where.before)
    dates, its_dates = conditions(connection, in_time)
    copies, of_copies = conditions(connection, of_files(where))
    newest = "ORDER BY date DESC, picture DESC LIMIT ?"
    recent = f"(SELECT date, picture, directory FROM files WHERE {dates}{before} {newest}) AS files"
    sources: list[tuple[str, Sequence[object]]] = [(recent, (*its_dates, *after, _RECENT)), ("files", ())]
    found: list[tuple[str, int]] = []
    for source, its_values in sources[where == in_time :]:
        condition, values = conditions(connection, where, by_row=source is recent)
        first = f"{condition}{before} AND {_FIRST_COPY.format(copies)}"
        sql = f"SELECT DISTINCT date, picture FROM {source} WHERE {first} {newest}"
        found = connection.execute(sql, (*its_values, *values, *after, *of_copies, n)).fetchall()
        if len(found) == n:
            break
    return found


def _counted(connection: Connection, sql: str, values: Sequence[object]) -> dict[str, int]:
    return dict(checked(row, str, int) for row in connection.execute(sql, values))


def _with_file(connection: Connection, where: Where) -> tuple[str, list[object]]:
    """Return the condition for rows of `pictures` of which there are files that are searched."""
    condition, values = conditions(connection, where)
    return f"id IN (SELECT picture FROM files WHERE {condition})", values


def _place_of(cursor: str) -> tuple[str, int]:
    """Read a cursor: a date, and the number of an image."""
    if not isinstance(cursor, str) or (found := _CURSOR.fullmatch(cursor)) is None:
        raise InputError(
            f"{cursor!r:.60}: is no cursor; expected that of an earlier page, or a date such as '2024-06'."
        )
    return found[1], int(found[2] or 0)
