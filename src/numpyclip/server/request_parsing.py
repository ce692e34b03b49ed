"""Requests → values of the expected types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from numpyclip.server.responses import bad_request

_MAX_FIELDS = 1000


@dataclass(frozen=True)
class Fields:
    """Fields of a form, a JSON object or a query string. ``null`` counts as missing.

    Attributes
    ----------
    values : dict
        Strings, bytes of files and lists of these from a form; any JSON values from JSON.
    """

    values: dict[str, Any]

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a string."""
        value = self._checked(name, str, "a string", default)
        return None if value is None else str(value)

    def choice(self, name: str, *values: str) -> str:
        """Return one of these strings; the first if missing."""
        value = self.text(name, values[0])
        if value not in values:
            raise bad_request(f"{name} is {value!r:.60}; expected {' or '.join(values)}.")
        return value

    def integer(self, name: str, default: int, maximum: int) -> int:
        """Return an integer from 1 to `maximum`; larger ones become `maximum`."""
        value = self.values.get(name)
        if isinstance(value, str) and is_row_id(value):  # from a form or a query string
            value = int(value)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise bad_request(f"{name} is {value!r:.60}; expected an integer above 0.")
        return min(value, maximum)

    def flag(self, name: str) -> bool:
        """Return a boolean; False if missing."""
        value = self.values.get(name)
        if isinstance(value, str):
            return value.lower() in ("1", "true", "on", "yes")
        return bool(self._checked(name, bool, "true or false", False))

    def texts(self, name: str) -> list[str]:
        """Return a string or a list of strings as a list; empty if missing."""
        return self._list(name, (str,), "a string or a list of strings")

    def images(self, name: str) -> list[bytes | str]:
        """Return images as a list: files of a form, data URIs, base64 or URLs; empty if missing."""
        return self._list(name, (bytes, str), "one or more files or data URIs")

    def row_ids(self, name: str) -> list[int]:
        """Return an integer or a list of integers as a list; empty if missing."""
        ids = [] if self.values.get(name) == "" else self._list(name, (int, str), "IDs of images")
        if not all(is_row_id(str(value)) for value in ids):
            raise bad_request(f"{name} is {ids!r:.60}; expected IDs of images.")
        return [int(value) for value in ids]

    def _list(self, name: str, kinds: tuple[type, ...], expected: str) -> list[Any]:
        """Return a value or a list of values as a list."""
        value = self.values.get(name)
        values = [] if value is None else value if isinstance(value, list) else [value]
        if not all(isinstance(value, kinds) for value in values):
            raise bad_request(f"{name} is {values!r:.60}; expected {expected}.")
        return values

    def _checked(self, name: str, kind: type, description: str, default: Any) -> Any:
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise bad_request(f"{name} is {value!r:.60}; expected {description}.")
        return value


def is_row_id(text: str) -> bool:
    """Return whether a string is an integer that fits into 64 bits, as SQL's do."""
    return text.isascii() and text.isdecimal() and len(text) < 19


async def json_fields(request: Request) -> Fields:
    """Parse the body as a JSON object, whatever its Content-Type."""
    try:
        values = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not JSON ({error}).") from error
    if not isinstance(values, dict):
        raise bad_request(f"the body is {values!r:.60}; expected a JSON object.")
    return Fields(values)


async def form_fields(request: Request, max_body: int) -> Fields:
    """Parse a form; values of a repeated name become a list."""
    async with request.form(max_files=_MAX_FIELDS, max_fields=_MAX_FIELDS, max_part_size=max_body) as form:
        return Fields({name: _single([await _content(value) for value in form.getlist(name)]) for name in form})


async def any_fields(request: Request, max_body: int) -> Fields:
    """Parse a form or JSON; for GET, the query string."""
    if request.method == "GET":
        return Fields({name: _single(request.query_params.getlist(name)) for name in request.query_params})
    if request.headers.get("content-type", "").startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        return await form_fields(request, max_body)
    return await json_fields(request)


async def _content(value: UploadFile | str) -> bytes | str:
    return await value.read() if isinstance(value, UploadFile) else value


def _single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
