"""Images from untrusted clients: base64, the allowlist of formats, and limits before decoding."""

from __future__ import annotations

import base64
import binascii
import re
from io import BytesIO

from numpyclip.errors import PictureError
from numpyclip.images.formats import identify
from numpyclip.images.open import reason_of

_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w.+=-]+)*;base64,", re.IGNORECASE)


def check_upload(data: bytes, max_pixels: int, name: str) -> None:
    """Check the header of an image file, before anything is decoded; `name` is for error messages.

    Raises
    ------
    PictureError
        If the image has more than `max_pixels`, or is in no known format.
    """
    try:
        with identify(BytesIO(data)) as image:
            width, height = image.size
    except Exception as error:  # Pillow's readers raise errors of every kind on damaged files
        raise PictureError(f"{name}: {len(data)} bytes cannot be read as an image ({reason_of(error)}).") from error
    if (pixels := width * height) > max_pixels:
        raise PictureError(f"{name}: has {width} x {height} pixels, {pixels} in all; expected at most {max_pixels}.")


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
