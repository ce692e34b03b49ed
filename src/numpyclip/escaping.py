"""UNTRUSTED TEXT → LINES AND JSON: valid UTF-8, unambiguous, and without effect on a terminal.

Names of files are bytes. Those that are not UTF-8 are lone surrogates in Python, which neither UTF-8 nor JSON has.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any

# Controls, line separators, invisible letters and those that change the writing direction, and surrogates; not the
# joiners that Persian, Hindi and emoji need.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    r"\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SEQUENCE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\", '"': r"\""}
_LETTERS = {sequence[1]: letter for letter, sequence in _SHORT.items()}
_NO_BYTE = 0xDC00  # a byte that is not UTF-8 is the surrogate that is so much more


def is_utf8(text: str) -> bool:
    """Tell whether a text, such as the name of a file, can be sent."""
    return not _SURROGATE.search(_decoded(text))


def column(text: str) -> str:
    r"""Write a text as a column of a table: as it is, or, where it would be unsafe or ambiguous, in double quotes.

    Within quotes ``\\``, ``\"``, ``\n``, ``\r`` and ``\t`` are what they are in C, ``\x..`` is a byte, and ``\u....``
    and ``\U........`` are characters. Text that begins with a double quote is quoted, too.
    """
    text = _decoded(text)
    if not text.startswith('"') and (text.isprintable() or not _UNSAFE.search(text)):
        return text
    escaped = _UNSAFE.sub(_escape, text.replace("\\", r"\\").replace('"', r"\""))
    return f'"{escaped}"'


def printable(text: str) -> str:
    """Write a message on one line: what would be unsafe or break it is an escape sequence, as in `column`."""
    return text if text.isprintable() else _UNSAFE.sub(_escape, text)


def column_text(written: str) -> str:
    """Return the text that `column` has written."""
    if len(written) < 2 or not (written.startswith('"') and written.endswith('"')):
        return written
    return _SEQUENCE.sub(_unescape, written[1:-1])


def json_text(value: Any, indent: int | None = None) -> str:
    r"""Write JSON in ASCII that every parser takes: null for NaN and infinity, and no lone surrogates.

    A text that is not UTF-8 has ``\x..`` for each byte that is none. What stands beside it under the same name with
    ``_bytes`` is all bytes in Base64: ``{"path": "caf\\xe9.jpg", "path_bytes": "Y2Fm6S5qcGc="}``.
    """
    return json.dumps(_valid(value), indent=indent, allow_nan=False)


def _valid(value: Any) -> Any:
    if isinstance(value, Mapping):
        entries = {}
        for key, entry in value.items():
            entries[_valid(key)] = _valid(entry)
            if (encoded := _bytes(entry)) is not None:
                entries[f"{_valid(key)}_bytes"] = encoded
        return entries
    if isinstance(value, list | tuple):
        return [_valid(entry) for entry in value]
    if isinstance(value, str):
        return _SURROGATE.sub(_escape, _decoded(value))
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _bytes(entry: Any) -> str | list[str | None] | None:
    """Encode what lone surrogates stand for, of a text or a list of texts; None where UTF-8 has everything."""
    if isinstance(entry, list | tuple) and any(isinstance(text, str) and _bytes(text) for text in entry):
        return [base64.b64encode(_encoded(text)).decode("ascii") for text in entry]
    if isinstance(entry, str) and not is_utf8(entry):
        return base64.b64encode(_encoded(entry)).decode("ascii")
    return None


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return text.encode("utf-8", "surrogatepass")


def _decoded(text: str) -> str:
    """Decode bytes that are UTF-8 after all, but not in the locale of this process."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] in _SHORT:
        return _SHORT[found[0]]
    if code < 0x80:
        return f"\\x{code:02x}"
    if _NO_BYTE + 0x80 <= code < _NO_BYTE + 0x100:
        return f"\\x{code - _NO_BYTE:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _unescape(found: re.Match[str]) -> str:
    byte, short, long, letter = found.groups()
    if byte is not None:
        return chr(int(byte, 16) + (_NO_BYTE if int(byte, 16) >= 0x80 else 0))
    if letter is not None:
        return _LETTERS.get(letter, letter)
    return chr(int(short or long, 16))
