"""EXIF data: the size of an image, when and where it was taken, and with what."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from numpyclip.errors import PictureError
from numpyclip.images.camera import camera_name, lens_name
from numpyclip.images.dates import Dated, utc_date, written_date, xmp_date
from numpyclip.images.embedded_xmp import packet_of
from numpyclip.images.formats import identify
from numpyclip.images.open import reason_of
from numpyclip.images.orientation import ORIENTATION
from numpyclip.images.pillow_limits import quietly
from numpyclip.images.raw_files import raw_tags
from numpyclip.xmp.packet import Packet
from numpyclip.xmp.properties import coordinates_in, dates_in

if TYPE_CHECKING:
    from PIL import Image

# Tags of Exif 2.32, sections 4.6.4, 4.6.5 and 4.6.6.
_MAKE, _MODEL, _DATE_TIME, _EXIF, _GPS = 0x010F, 0x0110, 0x0132, 0x8769, 0x8825
_DATE_TIME_ORIGINAL, _DATE_TIME_DIGITIZED = 0x9003, 0x9004
_OFFSET, _OFFSET_ORIGINAL, _OFFSET_DIGITIZED = 0x9010, 0x9011, 0x9012
_LENS_SPECIFICATION, _LENS_MAKE, _LENS_MODEL = 0xA432, 0xA433, 0xA434
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE = 1, 2, 3, 4
_GPS_TIME, _GPS_DATE = 7, 29

_XMP_DEGREES = re.compile(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])", re.ASCII)  # 47,22.5N or 47,22,30N

MOST_LATITUDE, MOST_LONGITUDE = 90, 180  # degrees


@dataclass(frozen=True)
class Exif:
    """Size of an image, and what its EXIF data says.

    Attributes
    ----------
    width, height : int
        In pixels, with the EXIF orientation applied; of a RAW file when it is developed.
    taken : str or None
        Local date and time, ``2024-05-01T12:30:00``; midnight if only the day is known.
    latitude, longitude : float or None
        In degrees, north and east positive.
    camera, lens : str or None
        Their names, such as ``Nikon D750``.
    offset : str or None
        That of `taken` from UTC, ``+02:00``, if it is told.
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
    offset: str | None = None
    duration: float | None = None


def read_exif(data: bytes, name: str = "the image") -> Exif:
    """Read the size of an image that is known to be sound, and its EXIF data as far as it is.

    Its date is the first that there is of DateTimeOriginal, DateTimeDigitized, XMP data, DateTime and GPS data; that
    in the name of a file is not of its content. Its coordinates are those of GPS data, else of XMP data.

    Parameters
    ----------
    data : bytes
        Of the file.
    name : str, optional
        That of the file, for messages.

    Raises
    ------
    PictureError
        If it is no image.
    """
    try:
        image = identify(BytesIO(data))
    except Exception as error:  # Pillow's readers raise errors of every kind on damaged files
        raise PictureError(f"{name}: cannot be read as an image ({reason_of(error)}).") from error
    with quietly(), image:
        width, height = image.size
        outer, inner, place = _tags(image)
        packet = packet_of(image, BytesIO(data))
        if image.format == "RAW":
            tags, inner, place = raw_tags(BytesIO(data))
            outer = {**outer, **tags}
        if outer.get(ORIENTATION) in (5, 6, 7, 8) and image.format != "TIFF":  # Pillow turns these itself
            width, height = height, width
    latitude, longitude = _place(place) or _place(_xmp_gps(packet)) or (None, None)
    dated = next(filter(None, _dates(outer, inner, place, packet)), Dated(None))
    return Exif(
        *(width, height, dated.taken, latitude, longitude),
        camera_name(outer.get(_MAKE), outer.get(_MODEL)),
        lens_name(inner.get(_LENS_MAKE), inner.get(_LENS_MODEL), inner.get(_LENS_SPECIFICATION), outer.get(_MAKE)),
        dated.offset,
    )


def _dates(
    outer: Mapping[int, Any], inner: Mapping[int, Any], place: Mapping[int, Any], packet: Packet | None
) -> Iterator[Dated | None]:
    """Read dates, best first."""
    yield written_date(inner.get(_DATE_TIME_ORIGINAL), inner.get(_OFFSET_ORIGINAL))
    yield written_date(inner.get(_DATE_TIME_DIGITIZED), inner.get(_OFFSET_DIGITIZED))
    yield from map(xmp_date, () if packet is None else dates_in(packet))
    yield written_date(outer.get(_DATE_TIME), inner.get(_OFFSET))  # of the last change
    yield utc_date(place.get(_GPS_DATE), place.get(_GPS_TIME))


def is_date(value: object) -> bool:
    """Tell whether it is a date and time as `Exif` has them."""
    with suppress(ValueError):  # of one that does not exist
        return type(value) is str and len(value) == 19 and datetime.datetime.fromisoformat(value).isoformat() == value
    return False


def _tags(image: Image.Image) -> tuple[Mapping[int, Any], Mapping[int, Any], Mapping[int, Any]]:
    """Read the three parts of EXIF data, each as far as it is sound: damage is no reason to refuse a sound image."""
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


def _place(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    """Read the coordinates of GPS data."""
    latitude = _degrees(gps, _LATITUDE, _LATITUDE_REF, "NS", MOST_LATITUDE)
    longitude = _degrees(gps, _LONGITUDE, _LONGITUDE_REF, "EW", MOST_LONGITUDE)
    if latitude is None or longitude is None or latitude == longitude == 0:  # what cameras write that know no place
        return None
    return latitude, longitude


def _xmp_gps(packet: Packet | None) -> dict[int, Any]:
    """Return the coordinates of XMP data as GPS data has them."""
    written = ("", "") if packet is None else coordinates_in(packet)
    found = [match.groups() for match in map(_XMP_DEGREES.fullmatch, written) if match]
    keys = ((_LATITUDE, _LATITUDE_REF), (_LONGITUDE, _LONGITUDE_REF))
    gps: dict[int, Any] = {}
    for (degrees, side), (*parts, letter) in zip(keys, found, strict=False):
        gps |= {degrees: tuple(part or 0 for part in parts), side: letter}
    return gps


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
