"""Middleware that checks host, origin, token and limits before routing, and ends what takes too long."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from numpyclip.server.access.authorization import PROBES, Authorization
from numpyclip.server.http.responses import OverloadedError, error_response
from numpyclip.server.settings import Settings

_CLOSE = {"Connection": "close"}  # the rest of the request is not read
_LEAST_RATE = 32 << 10  # bytes a second of a response that takes longer than the timeout: the client is slow, or idle
_PATIENCE = 1.0  # seconds for which a body that arrives need not give way to others


class AccessMiddleware:
    """ASGI middleware that rejects forbidden requests, and enforces limits.

    Parameters
    ----------
    app : ASGI application
    settings : Settings
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self.settings = settings
        self._authorization = Authorization(settings)
        self._requests = 0  # that have arrived and are being answered
        self._bytes = 0  # of bodies that are arriving, or being answered
        self._arriving: dict[_Body, None] = {}  # bodies that are not complete, from the oldest

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

        body = _Body(self, scope, receive)
        try:
            rejection = self._rejection(scope) or self._admission(scope, body)
            rejection = rejection or await self._answer(scope, body, send_counted)
            if rejection is not None and not has_begun:
                await rejection(scope, receive, send_counted)
        finally:
            self._requests -= body.is_admitted
            self._release(body)

    async def _answer(self, scope: Scope, body: _Body, send: Send) -> Response | None:
        """Call the application, until the client is gone or the time is over; return what is to be said then."""
        app, end = (asyncio.ensure_future(work) for work in (self._app(scope, body, send), body.end()))
        try:
            done, _ = await asyncio.wait((app, end), return_when=asyncio.FIRST_COMPLETED)
            message = f"not done in {self.settings.timeout:g} s; try again later."
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
        prefix, path = self.settings.url_prefix, scope["path"]
        return {**scope, "path": path[len(prefix) :]} if prefix and path.startswith(f"{prefix}/") else scope

    def _rejection(self, scope: Scope) -> Response | None:
        if rejection := self._authorization.rejection(scope):
            return rejection
        headers, settings = Headers(scope=scope), self.settings
        length = headers.get("content-length", "")
        if length and "transfer-encoding" in headers:  # a proxy in front may have seen another body
            return error_response(400, "a request with both Content-Length and Transfer-Encoding.", _CLOSE)
        if length.isdecimal() and int(length) > settings.max_bytes:
            return error_response(413, f"a request of {length} bytes; expected at most {settings.max_bytes}.", _CLOSE)
        if scope["method"] in ("GET", "HEAD") and _has_body(headers):  # which nobody would read
            return error_response(400, f"a {scope['method']} with a body; expected none.", _CLOSE)
        return None

    def _admission(self, scope: Scope, body: _Body) -> Response | None:
        if body.is_expected or scope["path"] in PROBES:
            return None
        try:
            self.admit(body)
        except OverloadedError as error:
            return error_response(error.status_code, error.detail, error.headers)
        return None

    def admit(self, body: _Body) -> None:
        """Count a request that has arrived, until it is answered."""
        if self._requests >= self.settings.max_requests:
            raise OverloadedError("too many requests at once; try again soon.", 1, 503)
        self._requests += 1
        body.is_admitted = True
        self._arriving.pop(body, None)

    def reserve(self, body: _Body, size: int) -> None:
        """Count bytes of a body until its request is answered; the bodies that arrive the longest make room."""
        self._arriving.setdefault(body)
        while self._bytes + size > self.settings.max_total_bytes:
            oldest = next(iter(self._arriving))
            if oldest is body or time.monotonic() - oldest.since < _PATIENCE:
                raise OverloadedError("too many bytes in flight; try again soon.", 1, 503)
            self._release(oldest)
            oldest.give_up()
        self._bytes += size
        body.size += size

    def _release(self, body: _Body) -> None:
        self._arriving.pop(body, None)
        self._bytes -= body.size
        body.size = 0


class _Body:
    """The ``receive`` of a request, with its limits of size and time."""

    def __init__(self, middleware: AccessMiddleware, scope: Scope, receive: Receive) -> None:
        self.size = 0
        self.sent = 0  # bytes of the response
        self.is_admitted = False
        self.is_expected = _has_body(Headers(scope=scope))
        self._middleware = middleware
        self._receive = receive
        self.since = time.monotonic()
        self._arrival: asyncio.Future[Message] | None = None
        self._is_given_up = False
        self._is_complete = asyncio.Event()
        if not self.is_expected:
            self._is_complete.set()

    async def __call__(self) -> Message:
        if self._is_complete.is_set():
            return {"type": "http.request", "body": b"", "more_body": False}
        part = await self._next_part()
        if part["type"] == "http.request":
            size, most = len(part.get("body", b"")), self._middleware.settings.max_bytes
            if self.size + size > most:
                raise HTTPException(413, f"a request of more than {most} bytes, which is the limit.", _CLOSE)
            self._middleware.reserve(self, size)
            if not part.get("more_body", False):
                self._middleware.admit(self)
                self._is_complete.set()
        return part

    async def _next_part(self) -> Message:
        self._arrival = asyncio.ensure_future(self._receive())
        left = self.since + self._middleware.settings.timeout - time.monotonic()
        try:
            await asyncio.wait((self._arrival,), timeout=0.0 if self._is_given_up else max(0.0, left))
            if self._is_given_up or not self._arrival.done():
                raise HTTPException(408, "the request did not arrive in time.", _CLOSE)
            return self._arrival.result()
        finally:
            self._arrival.cancel()

    def give_up(self) -> None:
        """Answer 408 in place of waiting for more."""
        self._is_given_up = True
        if self._arrival is not None:
            self._arrival.cancel()

    async def end(self) -> bool:
        """Wait until the client is gone (True), or the time for the answer, once the body is here, is over (False).

        A response that is large has more time, as long as the client takes so much of it a second.
        """
        await self._is_complete.wait()
        start = time.monotonic()
        gone = asyncio.ensure_future(self._disconnect())
        try:
            while (left := start + self._middleware.settings.timeout + self.sent / _LEAST_RATE - time.monotonic()) > 0:
                if (await asyncio.wait((gone,), timeout=left))[0]:
                    return gone.result()
            return False
        finally:
            gone.cancel()

    async def _disconnect(self) -> bool:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        return True


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
