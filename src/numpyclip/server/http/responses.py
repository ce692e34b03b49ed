"""JSON responses, and exceptions → HTTP responses."""

from __future__ import annotations

import gzip
import json
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from numpyclip.dispatch.fields import FieldError
from numpyclip.errors import CorruptCheckpointError, InputError, PictureError, StoreError, TextTooLongError
from numpyclip.escaping import json_text
from numpyclip.extras import without_commands
from numpyclip.server.http.error_formats import Problem, error_body
from numpyclip.server.http.request_context import current_request
from numpyclip.server.monitoring.failure_reasons import reason

_LOG = logging.getLogger("numpyclip.server")
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
_MIN_COMPRESSED = 1000  # bytes
_OF_ROUTING = {  # Starlette's messages
    "Not Found": "there is no such path; GET /docs lists all.",
    "Method Not Allowed": "the path does not support this method; GET /docs lists those that it does.",
}
_GZIP = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[^,]*)?(?:,|$)", re.IGNORECASE)


class JSONResponse(Response):
    """JSON in UTF-8, or in ASCII with `path_bytes` and the like where a name of a file is no UTF-8."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode a value; call it in a thread where it is large."""
        if isinstance(content, dict):
            text = "{" + ",".join(f"{_encode(name)}:{_items(value)}" for name, value in content.items()) + "}"
        else:
            text = _items(content)
        try:
            return text.encode()
        except UnicodeEncodeError:  # of lone surrogates, which no JSON may have
            return json_text(content).encode()


def _items(value: Any) -> str:
    """Encode a list item by item: a call of the encoder, which is in C, holds up all threads."""
    return "[" + ",".join(map(_encode, value)) + "]" if isinstance(value, list) else _encode(value)


def compressed(request: Request, response: Response) -> Response:
    """Compress the body of a response, if that is worth it and the client accepts it.

    A compressed length may tell of a secret beside what an attacker sends: tokens are in no body, and requests of other
    sites are refused.
    """
    response.headers["Vary"] = "Accept-Encoding"
    if len(response.body) >= _MIN_COMPRESSED and _GZIP.search(request.headers.get("accept-encoding", "")[:200]):
        response.body = gzip.compress(response.body, 5, mtime=0)
        response.headers.update({"Content-Encoding": "gzip", "Content-Length": str(len(response.body))})
    return response


def is_known(request: Request, tag: str) -> bool:
    """Tell whether the client has cached this ETag, perhaps weakened by a proxy that compresses."""
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    return tag in known or known == ["*"]


class OverloadedError(HTTPException):
    """A limit of the server is reached; the client may retry.

    Parameters
    ----------
    detail : str
        The message.
    seconds : float
        For ``Retry-After``, rounded to at least 1.
    status_code : {429, 503}
        429 if the queue of inputs is full; 503 for the limits of requests, bytes and time, and during shutdown.
    """

    def __init__(self, detail: str, seconds: float = 1.0, status_code: int = 429) -> None:
        super().__init__(status_code, detail, {"Retry-After": str(max(1, round(seconds)))})


class RefusedURLError(HTTPException):
    """The URL of an image is of a host from which nothing is fetched."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail)


class UnknownModelError(HTTPException):
    """A request names a model that is not here."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(404, f"model {name:.100} is not here; this server has {', '.join(known)}.")


class ErrorResponse(Response):
    """A response in the format that the clients of the requested path expect."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status_code=problem.status, headers=headers)
        self._problem, self._sent_headers = problem, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and record the reason for the log."""
        current = current_request()
        current.reason = reason(self._problem.message, current.sent)
        status, body = error_body(self._problem, scope["path"])
        await JSONResponse(body, status, self._sent_headers)(scope, receive, send)


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> ErrorResponse:
    """Make an error response."""
    return ErrorResponse(Problem(status, message), headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "model_not_found" if isinstance(error, UnknownModelError) else None
    in_image = isinstance(error, RefusedURLError)
    message = _OF_ROUTING.get(error.detail, error.detail)
    return ErrorResponse(Problem(error.status_code, message, code, in_image=in_image), error.headers)


async def _input_error(request: Request, error: Exception) -> Response:
    field = (error.field or None) if isinstance(error, FieldError) else None
    return ErrorResponse(
        Problem(400, without_commands(str(error)), field=field, in_image=isinstance(error, PictureError))
    )


async def _store_error(request: Request, error: Exception) -> Response:
    """Log the error: how to repair an index is for the server's owner only."""
    _LOG.error("%s", error)
    message = "the index cannot be read at the moment; the server's log says why."
    return error_response(503, message, {"Retry-After": "10"})


HANDLERS: dict[Any, Any] = {
    HTTPException: _http_error,
    InputError: _input_error,
    CorruptCheckpointError: _input_error,
    PictureError: _input_error,
    TextTooLongError: _input_error,
    StoreError: _store_error,
}
