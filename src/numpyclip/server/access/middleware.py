"""Middleware that checks host, origin, token and limits before routing, and ends what takes too long."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from numpyclip.server.access.authorization import PROBES, Authorization
from numpyclip.server.access.request_limits import CLOSE, RequestBody, RequestsInFlight, has_body
from numpyclip.server.http.responses import OverloadedError, error_response
from numpyclip.server.settings import Settings


class AccessMiddleware:
    """ASGI middleware that rejects forbidden requests, and enforces limits.

    Parameters
    ----------
    app : ASGI application
    settings : Settings
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._authorization = Authorization(settings)
        self._in_flight = RequestsInFlight(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = self._without_prefix(scope)
        has_begun = False

        async def send_counted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)
            body.sent += len(message.get("body", b""))

        body = RequestBody(self._in_flight, scope, receive)
        try:
            rejection = self._rejection(scope) or self._admission(scope, body)
            rejection = rejection or await self._answer(scope, body, send_counted)
            if rejection is not None and not has_begun:
                await rejection(scope, receive, send_counted)
        finally:
            self._in_flight.release(body)

    async def _answer(self, scope: Scope, body: RequestBody, send: Send) -> Response | None:
        """Call the application, until the client is gone or the time is over; return what is to be said then."""
        app, end = (asyncio.ensure_future(work) for work in (self._app(scope, body, send), body.end()))
        try:
            done, _ = await asyncio.wait((app, end), return_when=asyncio.FIRST_COMPLETED)
            message = f"not done in {self._settings.timeout:g} s; try again later."
        except asyncio.CancelledError:
            done, message = set(), "the server is shutting down; try again soon."
        app.cancel()
        end.cancel()
        await asyncio.gather(app, end, return_exceptions=True)  # what the application raises now is nobody's
        if app in done:
            await app
            return None
        if end in done and end.result():
            raise ClientDisconnect
        return error_response(503, message, {"Retry-After": "5"})

    def _without_prefix(self, scope: Scope) -> Scope:
        """Take the prefix off the path, unless a proxy in front has."""
        prefix, path = self._settings.url_prefix, scope["path"]
        return {**scope, "path": path[len(prefix) :]} if prefix and path.startswith(f"{prefix}/") else scope

    def _rejection(self, scope: Scope) -> Response | None:
        if rejection := self._authorization.rejection(scope):
            return rejection
        headers, settings = Headers(scope=scope), self._settings
        length = headers.get("content-length", "")
        if length and "transfer-encoding" in headers:  # a proxy in front may have seen another body
            return error_response(400, "a request with both Content-Length and Transfer-Encoding.", CLOSE)
        if length.isdecimal() and int(length) > settings.max_bytes:
            return error_response(413, f"a request of {length} bytes; expected at most {settings.max_bytes}.", CLOSE)
        if scope["method"] in ("GET", "HEAD") and has_body(headers):  # which nobody would read
            return error_response(400, f"a {scope['method']} with a body; expected none.", CLOSE)
        return None

    def _admission(self, scope: Scope, body: RequestBody) -> Response | None:
        if body.is_expected or scope["path"] in PROBES:
            return None
        try:
            self._in_flight.admit(body)
        except OverloadedError as error:
            return error_response(error.status_code, error.detail, error.headers)
        return None
