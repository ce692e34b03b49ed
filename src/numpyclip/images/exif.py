"""EXIF data: the size of a picture, and when and where it was taken."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from numpyclip.errors import PictureError
from numpyclip.images.formats import identify
from numpyclip.images.open import reason_of
from numpyclip.images.watch import quietly

if TYPE_CHECKING:
    from PIL import Image

# Tags of Exif 2.32, sections 4.6.4, 4.6.5 and 4.6.6.
_ORIENTATION, _DATE_TIME, _EXIF, _GPS = 0x0112, 0x0132, 0x8769, 0x8825
_DATE_TIME_ORIGINAL, _DATE_TIME_DIGITIZED = 0x9003, 0x9004
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE = 1, 2, 3, 4
_GPS_DATE = 29

_DATE = re.compile(r"(\d{4})[:/.-](\d{2})[:/.-](\d{2})", re.ASCII)
_TIME = re.compile(r"[ T](\d{2}):(\d{2})(?::(\d{2}))?", re.ASCII)  # a fraction and a zone may follow
_XMP_DATE = re.compile(
    rb"""(?:exif:DateTimeOriginal|photoshop:DateCreated|xmp:CreateDate)(?:>|=["'])\s*([0-9T:. -]+)"""
)
_MOST_XMP = 1 << 20  # bytes in which a date is looked for
MOST_LATITUDE, MOST_LONGITUDE = 90, 180  # degrees


@dataclass(frozen=True)
class Exif:
    """Size of a picture, and what its EXIF data says.

    Attributes
    ----------
    width, height : int
        In pixels, with the EXIF orientation applied.
    taken : str or None
        Local date and time, ``2024-05-01T12:30:00``.
    latitude, longitude : float or None
        In degrees, north and east positive.
    camera, lens : str or None
    duration : float or None
        Of a video, in seconds.
    """

    width: int
    height: int
    taken: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    camera: str | None = None
    lens: str | None = None
    duration: float | None = None


def read_exif(data: bytes, name: str = "the picture") -> Exif:
    """Read the size of a picture that is known to be sound, and its EXIF data as far as it is.

    Parameters
    ----------
    data : bytes
        Of the file.
    name : str, optional
        Of the picture in messages.

    Raises
    ------
    PictureError
        If it is no picture.
    """
    try:
        image = identify(BytesIO(data))
    except Exception as error:  # Pillow's readers raise errors of every kind on damaged files
        raise PictureError(f"{name}: cannot be read as a picture ({reason_of(error)}).") from error
    with quietly(), image:
        width, height = image.size
        outer, inner, place = _tags(image)
        xmp = image.info.get("xmp", image.info.get("XML:com.adobe.xmp"))
        if outer.get(_ORIENTATION) in (5, 6, 7, 8) and image.format != "TIFF":  # Pillow turns these itself
            width, height = height, width
    latitude = _degrees(place, _LATITUDE, _LATITUDE_REF, "NS", MOST_LATITUDE)
    longitude = _degrees(place, _LONGITUDE, _LONGITUDE_REF, "EW", MOST_LONGITUDE)
    if latitude is None or longitude is None or latitude == longitude == 0:  # what cameras write that know no place
        latitude = longitude = None
    dates = (
        *(inner.get(_DATE_TIME_ORIGINAL), inner.get(_DATE_TIME_DIGITIZED), outer.get(_DATE_TIME), _xmp_date(xmp)),
        place.get(_GPS_DATE),
    )
    return Exif(width, height, next(filter(None, map(_date, dates)), None), latitude, longitude)


def is_date(value: object) -> bool:
    """Tell whether it is a date and time as `Exif` has them."""
    with suppress(ValueError):  # of one that does not exist
        return type(value) is str and len(value) == 19 and datetime.datetime.fromisoformat(value).isoformat() == value
    return False


def _tags(image: Image.Image) -> tuple[Mapping[int, Any], Mapping[int, Any], Mapping[int, Any]]:
    """Read the three parts of EXIF data, each as far as it is sound: damage is no reason to refuse a sound picture."""
    parts: list[dict[int, Any]] = [{}, {}, {}]
    with suppress(Exception):
        exif = image.getexif()
        readers: tuple[Callable[[], Any], ...] = (
            *(lambda: exif, lambda: exif.get_ifd(_EXIF), lambda: exif.get_ifd(_GPS)),
        )
        for part, read in zip(parts, readers, strict=True):
            with suppress(Exception):
                part.update(read())
    return parts[0], parts[1], parts[2]


def _date(value: Any) -> str | None:
    """Read ``2024:05:01 12:30:00``, or only the day; cameras that were never set write zeros or blanks."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    day = _DATE.match(value.strip()) if isinstance(value, str) else None
    if day is None:
        return None
    time = _TIME.match(value.strip(), day.end())
    numbers = [int(number or 0) for number in (*day.groups(), *(time.groups() if time else ()))]
    for used in (numbers, numbers[:3]):  # EXIF knows no zone
        with suppress(ValueError):
            return datetime.datetime(*used).isoformat()  # type: ignore[arg-type]
    return None


def _xmp_date(xmp: Any) -> bytes | None:
    if isinstance(xmp, str):
        xmp = xmp.encode("utf-8", "replace")
    found = _XMP_DATE.search(xmp[:_MOST_XMP]) if isinstance(xmp, bytes) else None
    return None if found is None else found[1]


def _degrees(place: Mapping[int, Any], key: int, reference: int, signs: str, most: int) -> float | None:
    """Read degrees, minutes and seconds."""
    written, side = place.get(key), place.get(reference, signs[0])
    if isinstance(side, bytes):
        side = side.decode("ascii", "replace")
    side = str(side).strip("\0 ").upper() or signs[0]
    if not isinstance(written, tuple | list) or side not in tuple(signs):
        return None
    try:
        degrees, minutes, seconds = map(float, written)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not (degrees >= 0 and 0 <= minutes <= 60 and 0 <= seconds <= 60 and math.isfinite(value) and value <= most):
        return None
    return round(value, 6) * (1 if side == signs[0] else -1)
