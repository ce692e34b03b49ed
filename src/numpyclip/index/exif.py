"""EXIF data: the size of a picture, and when and where it was taken."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from numpyclip.images.formats import identify
from numpyclip.index.records import Exif

# Tags of Exif 2.32, sections 4.6.4, 4.6.5 and 4.6.6.
_ORIENTATION, _DATE_TIME, _EXIF, _GPS = 0x0112, 0x0132, 0x8769, 0x8825
_DATE_TIME_ORIGINAL = 0x9003
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE = 1, 2, 3, 4

_DATE = re.compile(r"(\d{4})[:/-](\d{2})[:/-](\d{2})[ T](\d{2}):(\d{2}):(\d{2})")


def read_exif(data: bytes) -> Exif:
    """Read the size of a picture that is known to be sound, and its EXIF data as far as it is.

    Parameters
    ----------
    data : bytes
        Of the file.
    """
    with identify(BytesIO(data)) as image:
        width, height = image.size
        try:
            exif = image.getexif()
            outer = dict(exif)
            inner, place = dict(exif.get_ifd(_EXIF)), dict(exif.get_ifd(_GPS))
        except Exception:  # damaged EXIF data is no reason to refuse a sound picture
            outer, inner, place = {}, {}, {}
        if outer.get(_ORIENTATION) in (5, 6, 7, 8) and image.format != "TIFF":  # Pillow turns these itself
            width, height = height, width
    latitude = _degrees(place, _LATITUDE, _LATITUDE_REF, "S", 90)
    longitude = _degrees(place, _LONGITUDE, _LONGITUDE_REF, "W", 180)
    if latitude is None or longitude is None:
        latitude = longitude = None
    taken = _date(inner.get(_DATE_TIME_ORIGINAL)) or _date(outer.get(_DATE_TIME))
    return Exif(width, height, taken, latitude, longitude)


def _date(value: Any) -> str | None:
    """Read ``2024:05:01 12:30:00``; cameras that were never set write zeros or blanks."""
    match = _DATE.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        date = datetime.datetime(*map(int, match.groups()))  # type: ignore[arg-type]  # EXIF knows no zone
    except ValueError:
        return None
    return date.isoformat()


def _degrees(place: Mapping[int, Any], key: int, reference: int, negative: str, most: int) -> float | None:
    """Read degrees, minutes and seconds."""
    try:
        degrees, minutes, seconds = map(float, place[key])
        value = degrees + minutes / 60 + seconds / 3600
        sign = -1 if str(place.get(reference, "")).strip("\0 ").upper() == negative else 1
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return sign * round(value, 6) if math.isfinite(value) and 0 <= value <= most else None
