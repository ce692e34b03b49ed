"""FIELDS → QUERY, and what is searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpyclip.dispatch.fields import Fields, shown
from numpyclip.errors import InputError
from numpyclip.index.store import Store
from numpyclip.index.where import Where
from numpyclip.tasks.query import Query, Term
from numpyclip.towns import country_rectangle, find_towns

_WORDS = ("folder", "after", "before", "camera", "lens", "tag", "album")
_NUMBERS = {"within": ("SOUTH,WEST,NORTH,EAST", 4), "around": ("LATITUDE,LONGITUDE,KILOMETRES", 3)}
FILTERS = (*_WORDS, "favourite", "rating", *_NUMBERS)  # fields of `where_of`
_MAX_TERMS = 32


def where_of(fields: Fields) -> Where:
    """Return which images are meant; of each filter nothing, or an empty string, is none.

    Raises
    ------
    InputError
        If a value cannot be.
    """
    stars = fields.integer("rating", 0, 1 << 30) if fields.values.get("rating") != "" else 0
    words: dict[str, Any] = {name: fields.text(name) or None for name in _WORDS}
    return Where(
        **words,
        favourite=fields.flag("favourite"),
        rating=stars or None,
        within=_numbers(fields, "within"),
        around=_numbers(fields, "around"),
    )


def at_place(fields: Fields, where: Where, store: Store) -> Where:
    """Add a place by its name: a country, else of the towns that are called so the one with the most images.

    InputError if there is none, or the conditions have another place; a town may be in a rectangle.
    """
    if not (name := fields.text("place")):
        return where
    if where.around is not None:
        raise InputError("place cannot be combined with around; leave out one.")
    if (rectangle := country_rectangle(name)) is not None:
        if where.within is not None:
            raise InputError("place is a country, and cannot be combined with within; leave out one.")
        return replace(where, within=rectangle)
    towns = [replace(where, around=(town.latitude, town.longitude, town.radius)) for town in find_towns(name)]
    return max(towns, key=lambda town: store.counts(town).pictures)


def refuse_empty(fields: Fields) -> None:
    """Raise InputError for what a program has left empty, perhaps by mistake: everything would be found."""
    for name in ("query", "place", *FILTERS):
        value = fields.values.get(name)
        if value == [] or (isinstance(value, str) and not value.strip()):
            raise InputError(f"{name} is empty; leave it out where nothing is meant.")


def _numbers(fields: Fields, name: str) -> Any:
    """Return numbers, which are a list or joined by commas."""
    value, (expected, count) = fields.values.get(name) or None, _NUMBERS[name]
    if value is None:
        return None
    parts = value if isinstance(value, list) else str(fields.text(name)).split(",", count)
    try:
        if len(parts) == count:
            return tuple(map(float, parts))
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{name} is {shown(value)}; expected {expected}.")


def is_browsing(fields: Fields) -> bool:
    """Tell whether there is no query, so that images are listed by their dates."""
    text = fields.text("query") or fields.text("q") or ""
    return not (text.strip() or any(fields.values.get(name) for name in ("near", "image", "not")))


def query_of(fields: Fields, images: Sequence[str] = ()) -> Query:
    """Return the query: the terms of a text, images by what messages call them, and texts to subtract.

    No term of the text is read as the path of an image.

    Raises
    ------
    InputError
        If it is empty, or has more than 32 terms.
    """
    text = fields.text("query") or fields.text("q") or ""
    terms = list(Query.parse(text, pictures=False).terms) if text.strip() else []
    terms += [Term(image, is_picture=True) for image in images]
    if not terms:
        raise InputError("the query is empty: expected query, near or image.")
    terms += [Term(text, -1.0) for text in fields.texts("not")]
    if len(terms) > _MAX_TERMS:
        raise InputError(f"{len(terms)} terms; expected {_MAX_TERMS} at most.")
    return Query(tuple(terms))
