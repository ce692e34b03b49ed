"""Images from untrusted clients: base64, the allowlist of formats, and limits before decoding."""

from __future__ import annotations

import base64
import binascii
import re
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

from numpyclip.errors import PictureError
from numpyclip.pictures import open_picture, reason_of

if TYPE_CHECKING:
    from PIL import Image

# Formats in which people store images. Pillow reads more, some of which start programs (EPS) or get little scrutiny.
_FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP", "DIB", "TIFF", "JPEG2000", "PPM", "ICO", "QOI"),
)
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w.+=-]+)*;base64,", re.IGNORECASE)


def open_upload(data: bytes, max_pixels: int, name: str = "image") -> Image.Image:
    """Open and decode an image, and apply the EXIF orientation.

    Parameters
    ----------
    data : bytes
        Content of an image file.
    max_pixels : int
        Checked in the header, before anything is decoded.
    name : str
        Of the image, for error messages.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    PictureError
        If the image has more pixels, or cannot be read.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(BytesIO(data), formats=_formats())
        if (pixels := image.width * image.height) > max_pixels:
            raise PictureError(
                f"{name}: has {image.width} x {image.height} pixels, {pixels} in all; expected at most {max_pixels}."
            )
    except PictureError:
        raise
    except Exception as error:  # Pillow's readers raise errors of every kind on damaged files
        reason = "not in a supported format" if isinstance(error, UnidentifiedImageError) else reason_of(error)
        raise PictureError(f"{name}: {len(data)} bytes cannot be read as an image ({reason}).") from error
    return open_picture(image)


def decode_base64(text: str, name: str) -> bytes:
    """Decode a data URI or plain base64.

    Raises
    ------
    PictureError
        If the string is neither.
    """
    match = _DATA_URI.match(text)
    try:
        return base64.b64decode(text[match.end() if match else 0 :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(f"{name}: {text[:40]!r} is not base64 ({error}).") from error


@cache
def _formats() -> tuple[str, ...]:
    """Return the allowed formats that this Pillow reads."""
    from PIL import Image

    try:
        from pillow_heif import register_heif_opener

        register_heif_opener()
    except ImportError:
        pass  # HEIC is not read then
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)
