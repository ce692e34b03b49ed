"""FIELDS → QUERY, AND FILTERS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpyclip.dispatch.field_kinds import Choice, Flag, Integer, Numbers, Text, Texts
from numpyclip.dispatch.fields import RequestFields
from numpyclip.errors import InputError
from numpyclip.index.store import Store
from numpyclip.index.where import Where
from numpyclip.tasks.query import Query, Term
from numpyclip.towns import country_rectangle, find_towns

MAX_RESULTS = 1000
_MAX_TERMS = 32


class _Stars(Choice[int]):
    """A rating of 1 to 5; 0 if missing, or an empty string."""

    def __init__(self, meaning: str) -> None:
        super().__init__(meaning, range(6))
        self.expected = "an integer from 1 to 5"

    def read(self, sent: Any) -> int:
        """Return it."""
        return super().read(0 if sent == "" else sent)


class Filters(RequestFields):
    """Filters of images; a missing one, or an empty string, filters nothing."""

    folder = Text("Only images in this folder and below it: an absolute path.")
    after = Text("Only images taken on this date or later: 2024, 2024-05 or 2024-05-01.")
    before = Text("Only images taken before this date.")
    camera = Text("Only images of this camera: any part of its name.")
    lens = Text("Only images of this lens: any part of its name.")
    tag = Text("Only images to which the user has given this tag, or one below it.")
    album = Text("Only images in this album of the user.")
    favourite = Flag("Only favorites of the user.")
    rating = _Stars("At least so many stars, 1 to 5.")
    within = Numbers(
        "Only images taken in a rectangle: south, west, north and east in degrees.", "SOUTH,WEST,NORTH,EAST"
    )
    around = Numbers(
        "Only images taken near a place: latitude, longitude and kilometers.", "LATITUDE,LONGITUDE,KILOMETRES"
    )


class _Count(RequestFields):
    n = Integer("How many images.", 20, MAX_RESULTS)


class ResultFields(_Count, Filters):
    """Number of results and filters, for clients that name places."""

    place = Text("Only images taken in or near this town, or in this country: Zurich, or Italy.")


class Words(RequestFields):
    """A query of words."""

    query = Text("What the image shows. 'horse + stripes - grass' adds and subtracts terms.")
    not_ = Texts("What it should not show.")


class SearchFields(Words, ResultFields):
    """A search by words; a program may add images."""


def where_of(fields: Filters) -> Where:
    """Return the filters of images.

    Raises
    ------
    InputError
        If a value is invalid.
    """
    values: dict[str, Any] = {name: fields.values[name] or None for name in Filters.DESCRIBED}
    return Where(**{**values, "favourite": fields.favourite})


def at_place(name: str, where: Where, store: Store) -> Where:
    """Add a place by its name: a country, else the town of this name with the most images.

    InputError if there is none, or the filters have another place; a town may be within a rectangle.
    """
    if not name:
        return where
    if where.around is not None:
        raise InputError("place cannot be combined with around; leave out one.")
    if (rectangle := country_rectangle(name)) is not None:
        if where.within is not None:
            raise InputError("place is a country, and cannot be combined with within; leave out one.")
        return replace(where, within=rectangle)
    towns = [replace(where, around=(town.latitude, town.longitude, town.radius)) for town in find_towns(name)]
    return max(towns, key=lambda town: store.counts(town).pictures)


def is_browsing(text: str, *others: Sequence[object]) -> bool:
    """Tell whether there is no query of any kind, so that images are listed by date."""
    return not (text.strip() or any(others))


def query_of(text: str, images: Sequence[str] = (), excluded: Sequence[str] = ()) -> Query:
    """Return the query: the terms of a text, images by what messages call them, and texts to subtract.

    No term of the text is read as the path of an image.

    Raises
    ------
    InputError
        If it is empty, or has more than 32 terms.
    """
    terms = list(Query.parse(text, pictures=False).terms) if text.strip() else []
    terms += [Term(image, is_picture=True) for image in images]
    if not terms:
        raise InputError("the query is empty: expected query, near or image.")
    terms += [Term(text, -1.0) for text in excluded]
    if len(terms) > _MAX_TERMS:
        raise InputError(f"the query has {len(terms)} terms; expected at most {_MAX_TERMS}.")
    return Query(tuple(terms))
