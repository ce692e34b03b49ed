"""FIELDS → QUERY, and what is searched."""

from __future__ import annotations

from collections.abc import Sequence

from numpyclip.dispatch.fields import Fields
from numpyclip.errors import InputError
from numpyclip.index.where import Where
from numpyclip.tasks.query import Query, Term

FILTERS = ("folder", "after", "before")  # fields of `where_of`
_MAX_TERMS = 32


def where_of(fields: Fields) -> Where:
    """Return which images are searched."""
    return Where(**{name: fields.text(name) or None for name in FILTERS})


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
