"""Bodies of requests → values, within bounds of length and of structure, away from the event loop.

A parser in C holds up every thread during a call, so none gets more than a megabyte or a few ten thousand values.
Images in base64, which make bodies large, are taken out of JSON before it is parsed.
"""

from __future__ import annotations

import json
import math
import secrets
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from numpyclip.errors import InputError

_MAX_FIELDS = 1000
MAX_TEXT = 1 << 20  # bytes of a body that are not in files, or strings of images
_MAX_VALUES = 50_000  # in JSON: signs that separate values
_LONG = 1 << 16  # bytes of a string that is taken out of JSON
_ESCAPES = {"\\/": "/", "\\u003d": "=", "\\n": "\n", "\\r": "\r"}  # which some libraries put into base64
_AFTER_A_STRING = b",:]} \t\r\n"


def parse_json_body(body: bytes | bytearray) -> Any:
    """Parse JSON in UTF-8, as its standard has it: without NaN and infinity.

    Raises
    ------
    InputError
        If it is none, or too much of it is not in long strings.
    """
    text, strings = _without_long_strings(body)
    if (values := sum(map(text.count, (b",", b":", b"[", b"{")))) > _MAX_VALUES:
        raise InputError(f"the body has {values} values; expected at most {_MAX_VALUES} in a request.")
    try:
        return _restored(json.loads(text.decode("utf-8"), parse_constant=_no_number, parse_float=_number), strings)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the body is not JSON ({error!s:.200}).") from error


def _without_long_strings(body: bytes | bytearray) -> tuple[bytes, dict[str, str]]:
    """Replace each long string, such as an image in base64, by a short one; return which stands for which.

    Short ones cannot be guessed: a client that sends one many times would multiply the long string.
    """
    text, strings, mark = bytearray(), dict[str, str](), secrets.token_hex(16)
    view, start, left = memoryview(body), 0, body.find(b'"')
    while left >= 0 and (right := body.find(b'"', left + 1)) >= 0 and len(text) + left - start <= MAX_TEXT:
        if right - left > _LONG and body[left - 1] != ord("\\") and body[left + 1] not in _AFTER_A_STRING:
            string = _unescaped(view[left + 1 : right])
            if string is not None:
                text += view[start : left + 1]
                short = f"{mark}{len(strings)}"
                text += short.encode()
                strings[short] = string
                start = right
        left = right
    if len(text) + len(body) - start > MAX_TEXT:
        raise InputError(f"the body has more than {MAX_TEXT} bytes beside images in base64; send several requests.")
    return bytes(text + view[start:]), strings


def _unescaped(string: memoryview) -> str | None:
    """Decode a long string of ASCII; None for one with other escapes."""
    try:
        text = str(string, "ascii")
    except UnicodeDecodeError:
        return None
    if "\\" in text:
        for escape, character in _ESCAPES.items():
            text = text.replace(escape, character)
    return None if "\\" in text else text


def _restored(value: Any, strings: dict[str, str]) -> Any:
    """Put long strings back into parsed JSON."""
    if isinstance(value, str):
        return strings.get(value, value)
    if isinstance(value, list):
        return [_restored(item, strings) for item in value]
    if isinstance(value, dict):
        return {name: _restored(item, strings) for name, item in value.items()}
    return value


def _number(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text:.20} is too large a number")
    return number


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def parse_query(text: str) -> dict[str, Any]:
    """Parse a query string, or a form that is encoded as one; values of a repeated name become a list.

    Raises
    ------
    InputError
        If it is too long.
    """
    if len(text) > MAX_TEXT:
        raise InputError(f"a form of {len(text)} bytes; expected at most {MAX_TEXT}, or multipart/form-data.")
    try:
        return _grouped(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError as error:
        raise InputError(f"a form of too many fields; expected at most {_MAX_FIELDS}.") from error


def _grouped(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    values = defaultdict(list)
    for name, value in fields:
        values[name].append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


class FormParser:
    """Parses multipart/form-data piece by piece.

    Parameters
    ----------
    content_type : str
        The header, with the boundary.

    Raises
    ------
    InputError
        If there is no boundary; of all methods, if the form is malformed or has too many fields.
    """

    def __init__(self, content_type: str) -> None:
        _, options = parse_options_header(content_type)
        self._fields: list[tuple[str, bytes | str]] = []
        self._text = 0  # bytes that are not in files
        self._name, self._value = bytearray(), bytearray()  # of a header
        self._disposition = b""
        self._is_complete = False
        callbacks: Any = {
            "on_part_begin": self._begin_part,
            "on_header_field": lambda data, start, end: self._add_text(self._name, data[start:end]),
            "on_header_value": lambda data, start, end: self._add_text(self._value, data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_data,
            "on_part_data": self._add_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(options.get(b"boundary", b""), callbacks)
        except FormParserError as error:
            raise InputError(f"the form's boundary is unusable ({error}).") from error
        if not options.get(b"boundary"):
            raise InputError("the form has no boundary in its Content-Type.")

    def write(self, piece: bytes) -> None:
        """Parse the next piece."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise InputError(f"the form is malformed ({error}).") from error

    def finish(self) -> dict[str, Any]:
        """Return texts, bytes of files, and lists of these where a name is repeated."""
        if not self._is_complete:
            raise InputError("the form is cut short; expected its boundary, with `--` behind it, at the end.")
        return _grouped(self._fields)

    def close(self) -> None:
        """Let go of the parser, whose callbacks would keep the form's files in memory until the next collection."""
        del self._parser

    def _begin_part(self) -> None:
        self._disposition = b""
        self._data = bytearray()

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _begin_data(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise InputError("a part of the form has no name in its Content-Disposition.")
        if len(self._fields) == _MAX_FIELDS:
            raise InputError(f"a form of too many fields; expected at most {_MAX_FIELDS}.")
        self._field = options[b"name"].decode("utf-8", "replace")
        self._is_file = b"filename" in options

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._data += memoryview(data)[start:end]
        else:
            self._add_text(self._data, data[start:end])

    def _add_text(self, text: bytearray, piece: bytes) -> None:
        text += piece
        self._text += len(piece)
        if self._text > MAX_TEXT:
            raise InputError(f"the form has more than {MAX_TEXT} bytes that are not in files; send images as files.")

    def _end_part(self) -> None:
        value = bytes(self._data) if self._is_file else self._data.decode("utf-8", "replace")
        self._fields.append((self._field, value))

    def _end(self) -> None:
        self._is_complete = True
