"""`Where` → conditions in SQL, of the rows of `files` that are searched.

A condition on images or their marks is a list of their numbers, by which `files` has an index.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

from numpyclip.file_systems import is_url
from numpyclip.index.database import Connection
from numpyclip.index.database.schema import FOLDER_BYTES
from numpyclip.index.database.sql import checked, one_of
from numpyclip.index.names import meant
from numpyclip.index.records import Modality
from numpyclip.index.where import Where

HAS_PLACE = "latitude IS NOT NULL AND (latitude <> 0 OR longitude <> 0)"  # 0, 0 is what cameras write without one
_EARTH = 6371.0088  # its mean radius in kilometers
_RADIANS = math.pi / 180


def below(folder: str, column: str = "directory", *, about: bool = False) -> tuple[str, list[Any]]:
    """Return the condition for a folder and those below it, which are a range of bytes.

    With `about`, only the beginnings of folders are compared, of which PostgreSQL has statistics.
    """
    path = os.fsencode(folder)
    separator = b"/" if is_url(folder) else os.fsencode(os.sep)
    start = path if path.endswith(separator) else path + separator
    end = start[:-1] + bytes([start[-1] + 1])
    beginning = f"substr({column}, 1, {FOLDER_BYTES})"  # of which PostgreSQL has an index
    exact = "({0} = ? OR ({0} >= ? AND {0} < ?))"
    ends = [part[:FOLDER_BYTES] for part in (path, start, end)]
    if about:
        return exact.format(beginning), ends
    condition = f"({beginning} >= ? AND {beginning} <= ? AND {exact.format(column)})"
    return condition, [ends[0], ends[2], path, start, end]


def conditions(
    connection: Connection, where: Where, *, about: bool = False, by_row: bool = False
) -> tuple[str, list[Any]]:
    """Return the condition for rows of `files` that are searched; see `below`.

    Names are those of the index that are meant (see `meant`), which are few, so that they are found by its own indexes.
    With `by_row` the image of each row is looked at, instead of listing all of which that is true.
    """
    written = ["picture IS NOT NULL"]
    values: list[Any] = []
    if where.folder is not None:
        condition, ends = below(os.fspath(where.folder), about=about)
        written.append(condition)
        values.extend(ends)
    for sign, date in ((">=", where.after), ("<", where.before)):
        if date is not None:
            written.append(f"date {sign} ?")
            values.append(date)
    condition, more = _of_pictures(connection, where, by_row=by_row)
    if condition:
        its = "EXISTS (SELECT 1 FROM pictures WHERE id = picture AND"
        written.append(f"{its if by_row else 'picture IN (SELECT id FROM pictures WHERE'} {condition})")
        values.extend(more)
    return " AND ".join(written), values


def is_searched(connection: Connection, modality: Modality, where: Where) -> tuple[str, list[Any]]:
    """Return the condition for rows of `vectors` that are searched: all texts, and images with a file that is."""
    if modality == "texts":
        return "1 = 1", []
    condition, values = conditions(connection, where)
    return f"EXISTS (SELECT 1 FROM files WHERE picture = item AND {condition})", values


def of_files(where: Where) -> Where:
    """Return the part of the conditions that is about files, and not about the images in them."""
    return Where(where.folder, where.after, where.before)


def _of_pictures(connection: Connection, where: Where, *, by_row: bool) -> tuple[str, list[Any]]:
    """Return the condition for rows of `pictures`; an empty one for all."""
    written: list[str] = []
    values: list[Any] = []
    for column in ("camera", "lens"):
        if (name := getattr(where, column)) is not None:
            names = meant(column, name, _names(connection, "pictures", column))
            written.append(f"{column} {one_of(len(names))}" if names else "1 = 0")
            values.extend(names)
    for kind, condition, its_values in _of_marks(connection, where):
        its = "EXISTS (SELECT 1 FROM marks WHERE digest = pictures.digest AND"
        marked = its if by_row else "digest IN (SELECT digest FROM marks WHERE"
        written.append(f"{marked} kind = ? AND {condition})")
        values.extend((kind, *its_values))
    places = [_within(*where.within)] if where.within is not None else []
    places += [_around(*where.around)] if where.around is not None else []
    for condition, degrees in places:
        written.append(f"{HAS_PLACE} AND {condition}")
        values.extend(degrees)
    return " AND ".join(written), values


def _of_marks(connection: Connection, where: Where) -> Iterator[tuple[str, str, list[str]]]:
    """Generate kinds of marks that images must have, each with a condition for its names."""
    if where.favourite:
        yield "favourite", "name = ''", []
    if where.rating is not None:
        yield "rating", "name >= ?", [str(where.rating)]
    for kind, condition, ends in (
        ("tag", "(name >= ? AND name < ? AND (name = ? OR name >= ?))", "{0},{0}0,{0},{0}/"),  # "0" comes after "/"
        ("album", "name = ?", "{0}"),
    ):
        if (name := getattr(where, kind)) is not None:
            names = meant(kind, name, _names(connection, "marks", "name", kind))
            either = " OR ".join([condition] * len(names)) if names else "1 = 0"
            yield kind, f"({either})", [end.format(each) for each in names for end in ends.split(",")]


def _names(connection: Connection, table: str, column: str, kind: str = "") -> list[str]:
    """List the different values of a column, each by a look at the index of it, however many rows have it."""
    its = "kind = ? AND" if kind else ""
    sql = (
        f"WITH RECURSIVE listed (value) AS (SELECT min({column}) FROM {table} WHERE {its} {column} IS NOT NULL "
        f"UNION ALL SELECT (SELECT min({column}) FROM {table} WHERE {its} {column} > value) FROM listed "
        "WHERE value IS NOT NULL) SELECT value FROM listed WHERE value IS NOT NULL"
    )
    rows = connection.execute(sql, (kind, kind) if kind else ())
    return [value for (value,) in (checked(row, str) for row in rows)]


def _within(south: float, west: float, north: float, east: float) -> tuple[str, list[float]]:
    """Return the condition for a rectangle, which goes over the date line if its west is east of its east."""
    both = "AND" if west <= east else "OR"
    return f"latitude >= ? AND latitude <= ? AND (longitude >= ? {both} longitude <= ?)", [south, north, west, east]


def _around(latitude: float, longitude: float, kilometres: float) -> tuple[str, list[float]]:
    """Return the condition for a distance on a great circle, after one that an index finds, for a rectangle around."""
    angle = min(kilometres / _EARTH, math.pi)
    south, north = (latitude + sign * angle / _RADIANS for sign in (-1, 1))
    west, east = -180.0, 180.0
    if south > -90 and north < 90:  # else a pole is within it
        half = math.asin(min(1.0, math.sin(angle) / math.cos(latitude * _RADIANS))) / _RADIANS
        west, east = (_longitude(longitude + sign * half) for sign in (-1, 1))
    box, values = _within(south, west, north, east)
    # Twice the haversine of the angle between two places, in which 2 sin²(x / 2) is written as 1 - cos x.
    twice = "1 - cos((latitude - ?) * ?) + ? * cos(latitude * ?) * (1 - cos((longitude - ?) * ?))"
    here = [latitude, _RADIANS, math.cos(latitude * _RADIANS), _RADIANS, longitude, _RADIANS]
    return f"{box} AND {twice} <= ?", [*values, *here, 1 - math.cos(angle)]


def _longitude(degrees: float) -> float:
    """Return a longitude from -180 to 180."""
    return (degrees + 180) % 360 - 180
