"""Who is answered: what every request must be like before anything else looks at it."""

from __future__ import annotations

import asyncio
import hmac
import time
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from numpyclip.server.metrics import Metrics
from numpyclip.server.problems import Busy, problem
from numpyclip.server.settings import Settings

COOKIE = "numpyclip_token"
_OPEN = ("/", "/login", "/healthz", "/ping")  # answered without a token: they tell nothing
_CLOSE = {"Connection": "close"}  # what is still to come of the request is not listened to
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Sends away what is not allowed, and holds requests to their limits (an ASGI middleware).

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
        self._requests = 0
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        body = _Body(self, receive, time.monotonic() + self._settings.timeout)
        self._requests += 1
        try:
            if refusal := self._refusal(scope):
                await refusal(scope, receive, counted)
            else:
                await self._app(scope, body, counted)
        finally:
            self._requests -= 1
            self._bytes -= body.size
            route = _route(scope)
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - start)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, settings = Headers(scope=scope), self._settings
        if self._requests > settings.max_requests:
            return problem(503, "too many requests at once; try again soon.", {"Retry-After": "1"})
        if settings.hosts and _host(headers.get("host", "")) not in settings.hosts:
            return problem(421, "this server is not called so; its owner may allow a name with --allow-host.")
        is_page = scope["path"] == "/"
        if headers.get("sec-fetch-site") == "cross-site" and not (is_page and scope["method"] == "GET"):
            return problem(403, "pages of other sites are not answered.")
        if settings.token is not None and scope["path"] not in _OPEN and not _shows(headers, settings.token):
            message = "a token is needed: send it as `Authorization: Bearer TOKEN`."
            return problem(401, message, {"WWW-Authenticate": "Bearer"})
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > settings.max_body:
            return problem(413, f"a request of {length} bytes; expected {settings.max_body} at most.", _CLOSE)
        return None

    def hold(self, size: int) -> None:
        """Count bytes that a request holds until it is answered."""
        if self._bytes + size > self._settings.max_bodies:
            raise Busy("too much is being sent at once; try again soon.", 1, 503)
        self._bytes += size

    @property
    def max_body(self) -> int:
        """Bytes of a request."""
        return self._settings.max_body


class _Body:
    """The body of a request, which must not be too large, and must arrive in time."""

    def __init__(self, guard: Guard, receive: Receive, deadline: float) -> None:
        self.size = 0
        self._guard = guard
        self._receive = receive
        self._deadline = deadline
        self._is_complete = False

    async def __call__(self) -> Message:
        if self._is_complete:  # what is waited for is that the client goes away
            return await self._receive()
        try:
            part = await asyncio.wait_for(self._receive(), max(0.0, self._deadline - time.monotonic()))
        except asyncio.TimeoutError:  # its own class until Python 3.11
            raise HTTPException(408, "the request did not arrive in time.", _CLOSE) from None
        if part["type"] == "http.request":
            size = len(part.get("body", b""))
            if self.size + size > self._guard.max_body:
                message = f"a request of more than {self._guard.max_body} bytes, which is the limit."
                raise HTTPException(413, message, _CLOSE)
            self._guard.hold(size)
            self.size += size
            self._is_complete = not part.get("more_body", False)
        return part


def _route(scope: Scope) -> str:
    """Name the route that answered: what was asked for may be any number of names."""
    routes = scope["app"].routes if "endpoint" in scope else ()
    return next((route.path for route in routes if route.endpoint == scope["endpoint"]), "none")


def _host(header: str) -> str:
    """Take the port off: ``localhost:8000``, ``[::1]:8000``."""
    return header[: header.find("]") + 1] if header.startswith("[") else header.partition(":")[0].lower()


def is_token(given: str, token: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode("utf-8", "surrogateescape"))


def _shows(headers: Headers, token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_token(given.strip(), token):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and is_token(cookie.value, token)
