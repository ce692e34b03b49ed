"""Requests → values of the expected types, whatever way they came."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any

from numpyclip.errors import InputError

_MAX_CHARACTERS = 100_000  # of a text: far more than any model reads
_FLAGS = {**dict.fromkeys(("1", "true", "on", "yes"), True), **dict.fromkeys(("", "0", "false", "off", "no"), False)}


@dataclass(frozen=True)
class Fields:
    """Fields of a form, a JSON object or a query string. ``null`` counts as missing.

    Its methods raise InputError if a value is of another kind.

    Attributes
    ----------
    values : dict
        Strings, bytes of files and lists of these from a form; any JSON values from JSON.
    """

    values: dict[str, Any]

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a string."""
        value = self._checked(name, str, "a string", default)
        return None if value is None else _short(str(value), name)

    def choice(self, name: str, *values: str) -> str:
        """Return one of these strings; the first if missing."""
        value = self.text(name, values[0])
        if value not in values:
            raise InputError(f"{name} is {shown(value)}; expected {' or '.join(values)}.")
        return value

    def integer(self, name: str, default: int, maximum: int) -> int:
        """Return an integer from 1 to `maximum`; larger ones become `maximum`."""
        value = self.values.get(name)
        if isinstance(value, str) and is_row_id(value):  # from a form or a query string
            value = int(value)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{name} is {shown(value)}; expected an integer above 0.")
        return min(value, maximum)

    def flag(self, name: str) -> bool:
        """Return a boolean; False if missing."""
        value = self.values.get(name)
        if isinstance(value, str) and value.lower() in _FLAGS:
            return _FLAGS[value.lower()]
        return bool(self._checked(name, bool, "true or false", False))

    def texts(self, name: str) -> list[str]:
        """Return a string or a list of strings as a list; empty if missing."""
        return [_short(text, name) for text in self._list(name, (str,), "a string or a list of strings")]

    def images(self, name: str) -> list[bytes | str]:
        """Return images as a list: files of a form, data URIs, base64 or URLs; empty if missing."""
        return self._list(name, (bytes, str), "one or more files or data URIs")

    def row_ids(self, name: str) -> list[int]:
        """Return an integer or a list of integers as a list; empty if missing."""
        ids = [] if self.values.get(name) == "" else self._list(name, (int, str), "IDs of images")
        if not all(is_row_id(str(value)) for value in ids):
            raise InputError(f"{name} is {shown(ids)}; expected IDs of images.")
        return [int(value) for value in ids]

    def _list(self, name: str, kinds: tuple[type, ...], expected: str) -> list[Any]:
        """Return a value or a list of values as a list."""
        value = self.values.get(name)
        values = [] if value is None else value if isinstance(value, list) else [value]
        if not all(isinstance(value, kinds) for value in values):
            raise InputError(f"{name} is {shown(values)}; expected {expected}.")
        return values

    def _checked(self, name: str, kind: type, description: str, default: Any) -> Any:
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise InputError(f"{name} is {shown(value)}; expected {description}.")
        return value


def _short(text: str, name: str) -> str:
    if len(text) > _MAX_CHARACTERS:
        raise InputError(f"{name} has {len(text)} characters; expected at most {_MAX_CHARACTERS}.")
    return text


def is_row_id(text: str) -> bool:
    """Return whether a string is an integer that fits into 64 bits, as SQL's do."""
    return text.isascii() and text.isdecimal() and len(text) < 19


def shown(value: object) -> str:
    """Return what a message quotes of a value, however large it is."""
    return f"{reprlib.repr(value):.60}"
