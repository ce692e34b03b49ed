"""Pictures from strangers: what may be sent as one, and how it is read."""

from __future__ import annotations

import base64
import binascii
import re
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

from numpyclip.errors import PictureError
from numpyclip.images.open import open_picture, reason_of

if TYPE_CHECKING:
    from PIL import Image

# The formats in which people keep pictures. Pillow knows others, some of which start programs (EPS) or are rarely
# looked at by anybody but attackers.
_FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP", "DIB", "TIFF", "JPEG2000", "PPM", "ICO", "QOI"),
)
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w.+=-]+)*;base64,", re.IGNORECASE)


def open_upload(data: bytes, max_pixels: int, name: str = "picture") -> Image.Image:
    """Open and decode a picture, turned as its EXIF orientation says.

    Parameters
    ----------
    data : bytes
        Of a file.
    max_pixels : int
        That it may have, which is known before anything of it is decoded.
    name : str
        For messages.

    Raises
    ------
    PictureError
        If it has more, or cannot be read.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(BytesIO(data), formats=_formats())
        if (pixels := image.width * image.height) > max_pixels:
            raise PictureError(
                f"{name}: has {image.width} x {image.height} pixels, which are {pixels}; expected {max_pixels} at most."
            )
    except PictureError:
        raise
    except Exception as error:  # Pillow's readers raise errors of every kind on damaged files
        reason = "in no format that is read here" if isinstance(error, UnidentifiedImageError) else reason_of(error)
        raise PictureError(f"{name}: {len(data)} bytes cannot be read as a picture ({reason}).") from error
    return open_picture(image)


def decode_base64(text: str, name: str) -> bytes:
    """Decode a data URI or plain base64.

    Raises
    ------
    PictureError
        If it is neither.
    """
    match = _DATA_URI.match(text)
    try:
        return base64.b64decode(text[match.end() if match else 0 :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(f"{name}: {text[:40]!r} is no picture in base64 ({error}).") from error


@cache
def _formats() -> tuple[str, ...]:
    """List those of the formats that are there."""
    from PIL import Image

    try:
        from pillow_heif import register_heif_opener

        register_heif_opener()
    except ImportError:
        pass  # no HEIC, then
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)
