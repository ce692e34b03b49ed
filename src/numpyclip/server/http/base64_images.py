"""Images in base64, from untrusted clients."""

from __future__ import annotations

import base64
import binascii
import re

from numpyclip.errors import InputError, PictureError

_PIECE = 1 << 18  # characters that are decoded in a call, which holds up all threads
_MAX_START = 1000  # characters of a data URI before its data: matching takes time by their square
_MAX_END = 100  # characters of padding and line breaks after the data
_SPACES = b" \t\n\r\f"
_STANDARD = bytes.maketrans(b"-_", b"+/")  # from the URL-safe alphabet
_PARAMETER = r';\s*[\w.+-]+=(?:"[^",;]*"|[\w.+%-]*)'
_DATA_URI = re.compile(rf"data:(?:[\w.+-]+/[\w.+-]+)?(?:{_PARAMETER}){{0,9}};\s*base64,", re.IGNORECASE | re.ASCII)


def decode_base64(text: str, name: str) -> bytes:
    """Decode a data URI or plain base64, of either alphabet, with or without padding and line breaks.

    Raises
    ------
    PictureError
        If the content of a data URI is wrong.
    InputError
        If the string is neither.
    """
    match = _DATA_URI.match(text, 0, _MAX_START)
    start = match.end() if match else 0
    end = text.find("=", start)
    end = len(text) if end < 0 else end
    decoded, rest = [], b""
    try:
        padding = text[end : end + _MAX_END].encode("ascii").translate(None, _SPACES)
        if len(text) - end > _MAX_END or padding.strip(b"="):
            raise binascii.Error("its padding is not at the end")
        for begin in range(start, end, _PIECE):
            rest += text[begin : min(begin + _PIECE, end)].encode("ascii").translate(_STANDARD, _SPACES)
            whole = len(rest) // 4 * 4
            decoded.append(base64.b64decode(rest[:whole], validate=True))
            rest = rest[whole:]
        if padding and len(padding) != -len(rest) % 4:
            raise binascii.Error("its padding is wrong")
        return b"".join((*decoded, base64.b64decode(rest + b"=" * (-len(rest) % 4), validate=True)))
    except (binascii.Error, ValueError) as error:
        kind = PictureError if match else InputError
        raise kind(f"{name}: {text[:40]!r} is not base64 ({error}).") from error
