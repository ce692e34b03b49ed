"""Requests → fields."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from starlette.requests import Request

from numpyclip.dispatch.fields import Fields, shown
from numpyclip.dispatch.queries import where_of
from numpyclip.file_systems import is_url
from numpyclip.index.where import Where
from numpyclip.server.body_parsing import MAX_TEXT, FormParser, parse_json_body, parse_query
from numpyclip.server.responses import bad_request

_MAX_CONTENT_TYPE = 300  # characters: parsing it takes time by their square


async def json_fields(request: Request) -> Fields:
    """Parse the body as a JSON object, whatever its Content-Type."""
    values = await request.app.state.service.parse(
        parse_json_body, await _body(request, request.app.state.service.settings.max_bytes)
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
    """Parse a form or JSON; for GET and HEAD, the query string."""
    if request.method in ("GET", "HEAD"):
        return Fields(parse_query(request.scope["query_string"].decode("latin-1")))
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        return await form_fields(request)
    return await json_fields(request)


def where_in(fields: Fields) -> Where:
    """Return which images are meant; 400 for a folder below the one that the server was started in."""
    folder = fields.text("folder") or None
    if folder is not None and not (Path(folder).is_absolute() or is_url(folder)):
        raise bad_request(f"folder is {shown(folder)}; expected an absolute path.")
    return where_of(fields)


async def _body(request: Request, most: int) -> bytearray:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise bad_request(f"a body of more than {most} bytes; send large pictures as multipart/form-data.")
    return body
