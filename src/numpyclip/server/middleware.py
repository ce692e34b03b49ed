"""Middleware that checks host, origin, token and limits before routing."""

from __future__ import annotations

import asyncio
import hmac
import time
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from numpyclip.server.prometheus import Metrics
from numpyclip.server.responses import OverloadedError, error_response
from numpyclip.server.settings import Settings

COOKIE = "numpyclip_token"
_PUBLIC_PATHS = ("/", "/login", "/healthz", "/ping")  # need no token: their responses reveal nothing
_CLOSE = {"Connection": "close"}  # the rest of the request is not read
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class AccessMiddleware:
    """ASGI middleware that rejects forbidden requests, enforces limits, and records metrics.

    Parameters
    ----------
    app : ASGI application
    settings : Settings
    metrics : Metrics
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._requests = 0  # in flight
        self._bytes = 0  # of their bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def send_recorded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        body = _Body(self, receive, self._settings)
        self._requests += 1
        try:
            if rejection := self._rejection(scope):
                await rejection(scope, receive, send_recorded)
            else:
                await self._app(scope, body, send_recorded)
        finally:
            self._requests -= 1
            self._bytes -= body.size
            route = _route(scope)
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - start)

    def _rejection(self, scope: Scope) -> Response | None:
        headers, settings = Headers(scope=scope), self._settings
        if self._requests > settings.max_requests:
            return error_response(503, "too many requests at once; try again soon.", {"Retry-After": "1"})
        if settings.allowed_hosts and _host(headers.get("host", "")) not in settings.allowed_hosts:
            return error_response(421, "this Host is not allowed; the server's owner can allow it with --allow-host.")
        path, token = scope["path"], settings.token
        if headers.get("sec-fetch-site") == "cross-site" and (scope["method"], path) != ("GET", "/"):
            return error_response(403, "cross-site requests are refused.")
        if token is not None and path not in _PUBLIC_PATHS and not _is_authorized(headers, token):
            message = "a token is needed: send it as `Authorization: Bearer TOKEN`."
            return error_response(401, message, {"WWW-Authenticate": "Bearer"})
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > settings.max_body:
            return error_response(413, f"a request of {length} bytes; expected at most {settings.max_body}.", _CLOSE)
        return None

    def reserve(self, size: int) -> None:
        """Count bytes of a body until its request is answered."""
        if self._bytes + size > self._settings.max_total_body:
            raise OverloadedError("too many bytes in flight; try again soon.", 1, 503)
        self._bytes += size


class _Body:
    """The ``receive`` of a request, with its limits of size and time."""

    def __init__(self, middleware: AccessMiddleware, receive: Receive, settings: Settings) -> None:
        self.size = 0
        self._reserve = middleware.reserve
        self._max_size = settings.max_body
        self._receive = receive
        self._deadline = time.monotonic() + settings.timeout
        self._is_complete = False

    async def __call__(self) -> Message:
        if self._is_complete:  # the only message left is the client's disconnect
            return await self._receive()
        try:
            part = await asyncio.wait_for(self._receive(), max(0.0, self._deadline - time.monotonic()))
        except asyncio.TimeoutError:  # its own class until Python 3.11
            raise HTTPException(408, "the request did not arrive in time.", _CLOSE) from None
        if part["type"] == "http.request":
            size = len(part.get("body", b""))
            if self.size + size > self._max_size:
                message = f"a request of more than {self._max_size} bytes, which is the limit."
                raise HTTPException(413, message, _CLOSE)
            self._reserve(size)
            self.size += size
            self._is_complete = not part.get("more_body", False)
        return part


def _route(scope: Scope) -> str:
    """Return the path of the matched route: labels must be few, and clients can request any path."""
    routes = scope["app"].routes if "endpoint" in scope else ()
    return next((route.path for route in routes if route.endpoint == scope["endpoint"]), "none")


def _host(header: str) -> str:
    """Strip the port from ``localhost:8000`` or ``[::1]:8000``."""
    return header[: header.find("]") + 1] if header.startswith("[") else header.partition(":")[0].lower()


def is_token(sent: str, token: str) -> bool:
    """Compare tokens in constant time."""
    return hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), token.encode("utf-8", "surrogateescape"))


def _is_authorized(headers: Headers, token: str) -> bool:
    scheme, _, sent = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_token(sent.strip(), token):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and is_token(cookie.value, token)
