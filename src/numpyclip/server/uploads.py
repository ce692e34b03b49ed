"""Pictures from strangers: what may be sent as one, and how it is read."""

from __future__ import annotations

import base64
import binascii
import re
from io import BytesIO
from typing import TYPE_CHECKING

from numpyclip.errors import PictureError
from numpyclip.images.open import identify, open_picture, reason_of

if TYPE_CHECKING:
    from PIL import Image

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
    try:
        image = identify(BytesIO(data))
    except Exception as error:  # Pillow's readers raise errors of every kind on damaged files
        raise PictureError(f"{name}: {len(data)} bytes cannot be read as a picture ({reason_of(error)}).") from error
    if (pixels := image.width * image.height) > max_pixels:
        raise PictureError(
            f"{name}: has {image.width} x {image.height} pixels, which are {pixels}; expected {max_pixels} at most."
        )
    return open_picture(image, name=name)


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
