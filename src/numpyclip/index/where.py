"""Which images of an index are searched."""

from __future__ import annotations

import datetime
import math
import os
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError
from numpyclip.file_systems import is_url
from numpyclip.image_marks import NO_TEXT, is_tag
from numpyclip.images.exif import MOST_LATITUDE, MOST_LONGITUDE

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2}(:\d{2})?)?)?)?)?", re.ASCII)
MOST_STARS = 5
_LONGEST = 200  # characters of a name
FIRST_MOMENT = "0001-01-01T00:00:00"  # completes the beginning of a date


@dataclass(frozen=True)
class Where:
    """Which images are searched.

    Attributes
    ----------
    folder : str or None
        Those in this folder, archive, table or URL, and below it. A relative path is made absolute; symbolic links are
        not resolved.
    after, before : str or None
        Those with a date (of EXIF or XMP, else of the file name, else the modification time) not before `after`, and
        before `before`: ``2024``, ``2024-05`` or any longer beginning of ``2024-05-01T12:30:00``. A ``datetime.date``
        or ``datetime`` becomes one, in local time and whole seconds.
    camera, lens : str or None
        Those of this camera or lens, as `Store.cameras` and `Store.lenses` name them, whatever the case of letters; a
        part of the name is enough if none is called exactly so.
    favourite : bool
        Favorites only.
    rating : int or None
        Those with at least so many stars, 1 to 5.
    tag, album : str or None
        Those with this tag or one below it, such as ``animals/birds`` of ``animals``, and those in this album, whatever
        the case of letters.
    within : tuple of float or None
        Those taken in a rectangle: south, west, north and east in degrees. One whose west is greater than its east goes
        over the date line.
    around : tuple of float or None
        Those taken around a place: latitude and longitude in degrees, and the greatest distance in kilometers.

    Raises
    ------
    InputError
        If `folder` is empty or not a path, a date does not exist, or another value is invalid.
    """

    folder: str | os.PathLike[str] | None = None
    after: str | datetime.date | None = None
    before: str | datetime.date | None = None
    camera: str | None = None
    lens: str | None = None
    favourite: bool = False
    rating: int | None = None
    tag: str | None = None
    album: str | None = None
    within: tuple[float, float, float, float] | None = None
    around: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        """Check and normalize what was given."""
        if self.folder is not None:
            if not os.fspath(self.folder):
                raise InputError("folder is empty; expected the path of one, or None for all images.")
            if not is_path(self.folder):
                raise InputError(f"folder is {self.folder!r:.60}, which no path can be.")
            object.__setattr__(self, "folder", absolute(self.folder))
        if not isinstance(self.favourite, bool):
            raise InputError(f"favourite is {self.favourite!r:.60}; expected True or False.")
        for name, check in _CHECKS.items():
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, check(name, value))


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the path by which an index knows a file or folder: absolute, normalized, symbolic links not resolved.

    A URL stays as it is, but for a slash at its end.
    """
    path = os.fsdecode(path)
    if is_url(path):
        return path.removesuffix("/")
    written = os.path.abspath(path)
    return re.sub(r"^//+", "/", written) if os.sep == "/" else written  # POSIX lets two slashes at the start stand


def is_path(path: str | os.PathLike[str]) -> bool:
    """Tell whether there can be such a path: one without NUL, of characters that the file system has."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def existing_folder(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a folder; InputError if it is none."""
    if not (is_path(path) and os.path.isdir(path)):
        name = os.fsdecode(path)
        if is_url(name):
            raise InputError(f"{name}: is a URL. Run `numpyclip embed images` on it, then `index --import`.")
        raise InputError(f"{name}: is no folder; expected one with images in it.")
    return absolute(path)


def checked_name(kind: str, name: object) -> str:
    """Return the name of a tag, say, without space around it and in normal form C; InputError if it can be none."""
    written = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
    if not 0 < len(written) <= _LONGEST or NO_TEXT.search(written):
        raise InputError(
            f"{kind} is {name!r:.60}; expected a name of 1 to {_LONGEST} characters, without control characters."
        )
    if kind == "tag" and not is_tag(written):
        raise InputError(f"tag {name!r:.60} has an empty level; expected a name such as 'places/Italy'.")
    return written


def checked_rating(name: str, rating: object) -> int:
    """Return a number of stars; InputError if it is none."""
    if (stars := whole_number(rating)) is None or not 1 <= stars <= MOST_STARS:
        raise InputError(f"{name} is {rating!r:.60}; expected an integer from 1 to {MOST_STARS}.")
    return stars


def _checked_rectangle(name: str, within: object) -> tuple[float, ...]:
    edges = _numbers(within)
    if not (
        len(edges) == 4
        and -MOST_LATITUDE <= edges[0] <= edges[2] <= MOST_LATITUDE
        and all(abs(longitude) <= MOST_LONGITUDE for longitude in edges[1::2])
    ):
        raise InputError(
            f"{name} is {within!r:.60}; expected south, west, north and east in degrees, such as "
            "(47.3, 8.4, 47.5, 8.7)."
        )
    return edges


def _checked_circle(name: str, around: object) -> tuple[float, ...]:
    place = _numbers(around)
    if not (len(place) == 3 and abs(place[0]) <= MOST_LATITUDE and abs(place[1]) <= MOST_LONGITUDE and place[2] > 0):
        raise InputError(
            f"{name} is {around!r:.60}; expected latitude and longitude in degrees and a distance in kilometers, "
            "such as (47.38, 8.54, 10)."
        )
    return place


def _numbers(values: object) -> tuple[float, ...]:
    """Return finite numbers; none if there are others."""
    try:
        numbers = () if isinstance(values, str | bytes) else tuple(float(value) for value in values)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()


def _checked_date(name: str, date: object) -> str:
    written = date
    try:
        if isinstance(date, datetime.datetime):
            local = date if date.tzinfo is None else date.astimezone().replace(tzinfo=None)
            written = local.isoformat(timespec="seconds")
        elif isinstance(date, datetime.date):
            written = date.isoformat()
        if not (isinstance(written, str) and _DATE.fullmatch(written)):
            raise ValueError("unknown format" if isinstance(written, str) else "not a string")
        datetime.datetime.fromisoformat(written + FIRST_MOMENT[len(written) :])
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{name}: {date!r:.60} is no date ({error}); expected one such as "
            "'2024', '2024-05' or '2024-05-01T12:30:00'."
        ) from None
    return written


_CHECKS: dict[str, Callable[[str, object], object]] = {
    **dict.fromkeys(("after", "before"), _checked_date),
    **dict.fromkeys(("camera", "lens", "tag", "album"), checked_name),
    "rating": checked_rating,
    "within": _checked_rectangle,
    "around": _checked_circle,
}
EVERYWHERE = Where()
