"""Requests of strangers → values of the right kind, and values → JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.server.problems import bad_request

_MOST_FIELDS = 1000


class JSONResponse(Response):
    """JSON in ASCII: names of files may hold bytes that are no text, which UTF-8 has no place for."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write a value."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True)
class Fields:
    """Named values, whatever the form that they came in. What is null counts as missing.

    Attributes
    ----------
    values : dict
        Of a form they are texts, bytes of files, and lists of these; of JSON whatever it holds.
    """

    values: dict[str, Any]

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a text."""
        value = self._checked(name, str, "a text", default)
        return None if value is None else str(value)

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number of 1 to `most`; what is larger becomes `most`."""
        value = self.values.get(name)
        if isinstance(value, str) and is_number(value):  # of a form, or of an address
            value = int(value)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise bad_request(f"{name} is {value!r:.60}; expected a whole number above 0.")
        return min(value, most)

    def flag(self, name: str) -> bool:
        """Return whether something is switched on."""
        value = self.values.get(name)
        if isinstance(value, str):
            return value.lower() in ("1", "true", "on", "yes")
        return bool(self._checked(name, bool, "true or false", False))

    def texts(self, name: str) -> list[str]:
        """Return a text or a list of texts, as a list; empty if there is none."""
        values = self.values.get(name)
        values = [] if values is None else values if isinstance(values, list) else [values]
        if not all(isinstance(value, str) for value in values):
            raise bad_request(f"{name} is {values!r:.60}; expected a text or a list of texts.")
        return values

    def pictures(self, name: str) -> list[bytes | str]:
        """Return pictures: files of a form, or texts that stand for one."""
        values = self.values.get(name)
        values = [] if values is None else values if isinstance(values, list) else [values]
        if not all(isinstance(value, bytes | str) for value in values):
            raise bad_request(f"{name} is {values!r:.60}; expected a file or a data URI, or several.")
        return values

    def _checked(self, name: str, kind: type, description: str, default: Any) -> Any:
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise bad_request(f"{name} is {value!r:.60}; expected {description}.")
        return value


def is_number(text: str) -> bool:
    """Tell whether a text is a whole number that a database can hold."""
    return text.isascii() and text.isdecimal() and len(text) < 19


async def json_fields(request: Request) -> Fields:
    """Read an object in JSON, whatever the request says it is."""
    try:
        values = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is no JSON ({error}).") from error
    if not isinstance(values, dict):
        raise bad_request(f"the body is {values!r:.60}; expected an object.")
    return Fields(values)


async def form_fields(request: Request, max_body: int) -> Fields:
    """Read a form; a name that occurs several times has a list."""
    async with request.form(max_files=_MOST_FIELDS, max_fields=_MOST_FIELDS, max_part_size=max_body) as form:
        return Fields({name: _single([await _content(value) for value in form.getlist(name)]) for name in form})


async def any_fields(request: Request, max_body: int) -> Fields:
    """Read a form or JSON, and for GET what stands in the address."""
    if request.method == "GET":
        return Fields({name: _single(request.query_params.getlist(name)) for name in request.query_params})
    if request.headers.get("content-type", "").startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        return await form_fields(request, max_body)
    return await json_fields(request)


async def _content(value: UploadFile | str) -> bytes | str:
    return await value.read() if isinstance(value, UploadFile) else value


def _single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
