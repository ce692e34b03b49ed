"""Images in base64, from untrusted clients."""

from __future__ import annotations

import base64
import binascii
import re

from numpyclip.errors import PictureError

_PIECE = 1 << 18  # characters, a multiple of four, that are decoded in a call, which holds up all threads
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w.+=-]+)*;base64,", re.IGNORECASE)


def decode_base64(text: str, name: str) -> bytes:
    """Decode a data URI or plain base64.

    Raises
    ------
    PictureError
        If the string is neither.
    """
    match = _DATA_URI.match(text)
    start = match.end() if match else 0
    pieces = (text[begin : begin + _PIECE] for begin in range(start, len(text), _PIECE))
    try:
        if 0 <= text.find("=", start) < len(text) - 2:
            raise binascii.Error("its padding is not at the end")
        return b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
    except (binascii.Error, ValueError) as error:
        raise PictureError(f"{name}: {text[:40]!r} is not base64 ({error}).") from error
