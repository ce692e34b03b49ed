"""What goes wrong, as a client hears of it: in the shape of OpenAI's errors, which clients of all kinds can show."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from numpyclip.errors import InputError, PictureError, StoreError, TextTooLongError

_LOG = logging.getLogger("numpyclip.server")
_TYPES = {401: "authentication_error", 429: "rate_limit_error", 404: "not_found_error"}


class Busy(HTTPException):
    """There is more to do than can be done soon.

    Parameters
    ----------
    seconds : float
        After which to try again.
    status_code : {429, 503}
        429 where this server has too many inputs waiting, 503 where it has too many requests, or is too slow.
    """

    def __init__(self, detail: str, seconds: float = 1.0, status_code: int = 429) -> None:
        super().__init__(status_code, detail, {"Retry-After": str(max(1, round(seconds)))})


def bad_request(message: str) -> HTTPException:
    """Make the error of a request that says something wrong."""
    return HTTPException(400, message)


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Write an error."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return JSONResponse(
        {"error": {"message": message, "type": kind, "param": None, "code": status}},
        status,
        dict(headers) if headers else None,
    )


async def of_http(request: Request, error: Exception) -> Response:
    """Answer with an error that was meant for the client."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, error.headers)


async def of_input(request: Request, error: Exception) -> Response:
    """Answer that what was sent cannot be used."""
    return problem(400, str(error))


async def of_store(request: Request, error: Exception) -> Response:
    """Answer that the index cannot be read: how it is repaired is not the client's affair."""
    _LOG.error("%s", error)
    return problem(503, "the index cannot be read at the moment; the server's log says why.", {"Retry-After": "10"})


async def of_unexpected(request: Request, error: Exception) -> Response:
    """Answer that it is our fault; Starlette logs the error itself."""
    return problem(500, "an unexpected error, which the server's log has.")


HANDLERS: dict[Any, Any] = {
    HTTPException: of_http,
    InputError: of_input,
    PictureError: of_input,
    TextTooLongError: of_input,
    StoreError: of_store,
    Exception: of_unexpected,
}
