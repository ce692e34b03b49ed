"""Requests → values of the expected types."""

from __future__ import annotations

import reprlib
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from numpyclip.server.body_parsing import MAX_TEXT, FormParser, parse_json_body, parse_query
from numpyclip.server.responses import bad_request

_MAX_CHARACTERS = 100_000  # of a text: far more than any model reads
_MAX_CONTENT_TYPE = 300  # characters: parsing it takes time by their square


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
        return None if value is None else _short(str(value), name)

    def choice(self, name: str, *values: str) -> str:
        """Return one of these strings; the first if missing."""
        value = self.text(name, values[0])
        if value not in values:
            raise bad_request(f"{name} is {shown(value)}; expected {' or '.join(values)}.")
        return value

    def integer(self, name: str, default: int, maximum: int) -> int:
        """Return an integer from 1 to `maximum`; larger ones become `maximum`."""
        value = self.values.get(name)
        if isinstance(value, str) and is_row_id(value):  # from a form or a query string
            value = int(value)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise bad_request(f"{name} is {shown(value)}; expected an integer above 0.")
        return min(value, maximum)

    def flag(self, name: str) -> bool:
        """Return a boolean; False if missing."""
        value = self.values.get(name)
        if isinstance(value, str):
            return value.lower() in ("1", "true", "on", "yes")
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
            raise bad_request(f"{name} is {shown(ids)}; expected IDs of images.")
        return [int(value) for value in ids]

    def _list(self, name: str, kinds: tuple[type, ...], expected: str) -> list[Any]:
        """Return a value or a list of values as a list."""
        value = self.values.get(name)
        values = [] if value is None else value if isinstance(value, list) else [value]
        if not all(isinstance(value, kinds) for value in values):
            raise bad_request(f"{name} is {shown(values)}; expected {expected}.")
        return values

    def _checked(self, name: str, kind: type, description: str, default: Any) -> Any:
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise bad_request(f"{name} is {shown(value)}; expected {description}.")
        return value


def _short(text: str, name: str) -> str:
    if len(text) > _MAX_CHARACTERS:
        raise bad_request(f"{name} has {len(text)} characters; expected at most {_MAX_CHARACTERS}.")
    return text


def is_row_id(text: str) -> bool:
    """Return whether a string is an integer that fits into 64 bits, as SQL's do."""
    return text.isascii() and text.isdecimal() and len(text) < 19


def path_id(request: Request) -> int:
    """Return the ID in the path of a request.

    Raises
    ------
    HTTPException
        404 if it cannot be one.
    """
    row_id: str = request.path_params["id"]
    if not is_row_id(row_id):
        raise HTTPException(404, f"{row_id:.60} is not the ID of an image.")
    return int(row_id)


def shown(value: object) -> str:
    """Return what a message quotes of a value, however large it is."""
    return f"{reprlib.repr(value):.60}"


async def json_fields(request: Request) -> Fields:
    """Parse the body as a JSON object, whatever its Content-Type."""
    values = await request.app.state.service.parse(
        parse_json_body, await _body(request, request.app.state.service.settings.max_body)
    )
    if not isinstance(values, dict):
        raise bad_request(f"the body is {shown(values)}; expected a JSON object.")
    return Fields(values)


async def form_fields(request: Request) -> Fields:
    """Parse a form; values of a repeated name become a list."""
    parse = request.app.state.service.parse
    kind = request.headers.get("content-type", "")
    if len(kind) > _MAX_CONTENT_TYPE:
        raise bad_request(f"a Content-Type of {len(kind)} characters; expected at most {_MAX_CONTENT_TYPE}.")
    if not kind.lower().startswith("multipart/form-data"):
        return Fields(await parse(parse_query, (await _body(request, MAX_TEXT)).decode("utf-8", "replace")))
    with closing(FormParser(kind)) as parser:
        async for piece in request.stream():
            await parse(parser.write, piece)
        return Fields(parser.finish())


async def any_fields(request: Request) -> Fields:
    """Parse a form or JSON; for GET, the query string."""
    if request.method == "GET":
        return Fields(parse_query(request.scope["query_string"].decode("latin-1")))
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        return await form_fields(request)
    return await json_fields(request)


async def _body(request: Request, most: int) -> bytearray:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise bad_request(f"a body of more than {most} bytes; send large pictures as multipart/form-data.")
    return body
