"""Requests → fields."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

from starlette.requests import Request

from numpyclip.dispatch.field_kinds import Text
from numpyclip.dispatch.fields import shown
from numpyclip.dispatch.queries import Filters
from numpyclip.errors import InputError
from numpyclip.file_systems import is_url
from numpyclip.server.http.body_parsing import MAX_TEXT, FormParser, parse_json_body, parse_query
from numpyclip.server.http.request_context import current_request

_MAX_CONTENT_TYPE = 300  # characters: parsing it takes time by their square


class _Folder(Text):
    """An absolute path."""

    expected = "an absolute path"

    def read(self, sent: Any) -> str:
        """Return it."""
        folder = super().read(sent)
        if folder and not (Path(folder).is_absolute() or is_url(folder)):
            raise self.refusal(sent)
        return folder


class ServerFilters(Filters, example={"after": "2024-05", "camera": "Pixel"}):
    """Which images are meant by clients, to which a folder below the one that the server was started in is none."""

    TITLE = "Filters"

    folder = _Folder("Only images in this folder and below it: an absolute path, such as those of `/library`.")


async def sent_fields(request: Request, bodies: Collection[str]) -> dict[str, Any]:
    """Parse the query string of GET and HEAD, else a form or JSON: by the Content-Type where both are taken."""
    if request.method in ("GET", "HEAD"):
        return parse_query(request.scope["query_string"].decode("latin-1"))
    kind = request.headers.get("content-type", "").lower()
    is_form = kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded"))
    if "form" in bodies and (is_form or "json" not in bodies):
        return await _form(request)
    return await _json(request) if bodies else {}


async def _json(request: Request) -> dict[str, Any]:
    values = await request.app.state.service.threads.parse(
        parse_json_body, await _body(request, request.app.state.service.settings.max_bytes)
    )
    if not isinstance(values, dict):
        current_request().sent = values
        raise InputError(f"the body is {shown(values)}; expected a JSON object.")
    return values


async def _form(request: Request) -> dict[str, Any]:
    parse = request.app.state.service.threads.parse
    kind = request.headers.get("content-type", "")
    if len(kind) > _MAX_CONTENT_TYPE:
        raise InputError(f"a Content-Type of {len(kind)} characters; expected at most {_MAX_CONTENT_TYPE}.")
    if not kind.lower().startswith("multipart/form-data"):
        form: dict[str, Any] = await parse(parse_query, (await _body(request, MAX_TEXT)).decode("utf-8", "replace"))
        return form
    with closing(FormParser(kind)) as parser:
        async for piece in request.stream():
            await parse(parser.write, piece)
        return parser.finish()


async def _body(request: Request, most: int) -> bytearray:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise InputError(f"a body of more than {most} bytes; send large images as multipart/form-data.")
    return body
