"""Images from untrusted clients: base64, the allowlist of formats, and limits before decoding."""

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
    try:
        image = identify(BytesIO(data))
    except Exception as error:  # Pillow's readers raise errors of every kind on damaged files
        raise PictureError(f"{name}: {len(data)} bytes cannot be read as an image ({reason_of(error)}).") from error
    if (pixels := image.width * image.height) > max_pixels:
        raise PictureError(
            f"{name}: has {image.width} x {image.height} pixels, {pixels} in all; expected at most {max_pixels}."
        )
    return open_picture(image, name=name)


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
