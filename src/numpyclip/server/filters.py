"""Requests → which images are meant."""

from __future__ import annotations

from typing import Any

from numpyclip.index.where import Where
from numpyclip.server.request_parsing import Fields, shown
from numpyclip.server.responses import bad_request

_WORDS = ("folder", "after", "before", "camera", "lens", "tag", "album")
_NUMBERS = {"within": ("SOUTH,WEST,NORTH,EAST", 4), "around": ("LATITUDE,LONGITUDE,KILOMETRES", 3)}


def where_of(fields: Fields) -> Where:
    """Return which images are meant; of each filter nothing, or an empty string, is none.

    Raises
    ------
    HTTPException
        400 if numbers are not written as expected.
    InputError
        If a value cannot be.
    """
    stars = fields.integer("rating", 0, 1 << 30) if fields.values.get("rating") != "" else 0
    return Where(
        **{name: fields.text(name) or None for name in _WORDS},
        favourite=fields.flag("favourite"),
        rating=stars or None,
        within=_numbers(fields, "within"),
        near=_numbers(fields, "around"),
    )


def _numbers(fields: Fields, name: str) -> Any:
    written, (expected, count) = fields.text(name) or None, _NUMBERS[name]
    if written is None:
        return None
    parts = written.split(",", count)
    try:
        if len(parts) == count:
            return tuple(map(float, parts))
    except ValueError:
        pass
    raise bad_request(f"{name} is {shown(written)}; expected {expected}.")
