"""Limits of requests: how many are in flight, how large their bodies are, and how long they take."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from numpyclip.server.http.responses import OverloadedError
from numpyclip.server.settings import Settings

CLOSE = {"Connection": "close"}  # the rest of the request is not read
_MIN_RATE = 32 << 10  # bytes a second of a response that takes longer than the timeout: the client is slow, or idle
_PATIENCE = 1.0  # seconds for which a body that arrives need not give way to others


class RequestsInFlight:
    """The requests in flight, and the bytes of their bodies, which both have a limit.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._requests = 0  # that have arrived and are being answered
        self._bytes = 0  # of bodies that are arriving, or being answered
        self._arriving: dict[RequestBody, None] = {}  # bodies that are not complete, from the oldest

    def admit(self, body: RequestBody) -> None:
        """Count a request that has arrived, until it is answered; OverloadedError if there are too many."""
        if self._requests >= self.settings.max_requests:
            raise OverloadedError("too many requests at once; try again soon.", 1, 503)
        self._requests += 1
        body.is_admitted = True
        self._arriving.pop(body, None)

    def reserve(self, body: RequestBody, size: int) -> None:
        """Count bytes of a body until its request is answered; the bodies that arrive the longest make room.

        OverloadedError if they leave too little.
        """
        self._arriving.setdefault(body)
        while self._bytes + size > self.settings.max_total_bytes:
            oldest = next(iter(self._arriving))
            if oldest is body or time.monotonic() - oldest.since < _PATIENCE:
                raise OverloadedError("too many bytes in flight; try again soon.", 1, 503)
            self._free(oldest)
            oldest.give_up()
        self._bytes += size
        body.size += size

    def release(self, body: RequestBody) -> None:
        """Count a request, and the bytes of its body, no more."""
        self._requests -= body.is_admitted
        body.is_admitted = False
        self._free(body)

    def _free(self, body: RequestBody) -> None:
        self._arriving.pop(body, None)
        self._bytes -= body.size
        body.size = 0


class RequestBody:
    """The ``receive`` of a request, with its limits of size and time.

    Parameters
    ----------
    in_flight : RequestsInFlight
    scope, receive
        Of the request, as ASGI has them.

    Attributes
    ----------
    size : int
        Bytes that have arrived, and are counted.
    sent : int
        Bytes of the response.
    is_expected : bool
        Whether the request has a body.
    """

    def __init__(self, in_flight: RequestsInFlight, scope: Scope, receive: Receive) -> None:
        self.size = 0
        self.sent = 0
        self.is_admitted = False
        self.is_expected = has_body(Headers(scope=scope))
        self._in_flight = in_flight
        self._receive = receive
        self.since = time.monotonic()
        self._arrival: asyncio.Future[Message] | None = None
        self._is_given_up = False
        self._is_complete = asyncio.Event()
        if not self.is_expected:
            self._is_complete.set()

    async def __call__(self) -> Message:
        """Receive the next part; HTTPException 408, 413 or 503 where a limit is reached."""
        if self._is_complete.is_set():
            return {"type": "http.request", "body": b"", "more_body": False}
        part = await self._next_part()
        if part["type"] == "http.request":
            size, most = len(part.get("body", b"")), self._in_flight.settings.max_bytes
            if self.size + size > most:
                raise HTTPException(413, f"the request has more than {most} bytes, the limit.", CLOSE)
            self._in_flight.reserve(self, size)
            if not part.get("more_body", False):
                self._in_flight.admit(self)
                self._is_complete.set()
        return part

    async def _next_part(self) -> Message:
        self._arrival = asyncio.ensure_future(self._receive())
        left = self.since + self._in_flight.settings.timeout - time.monotonic()
        try:
            await asyncio.wait((self._arrival,), timeout=0.0 if self._is_given_up else max(0.0, left))
            if self._is_given_up or not self._arrival.done():
                raise HTTPException(408, "the request did not arrive in time.", CLOSE)
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
            while (left := start + self._in_flight.settings.timeout + self.sent / _MIN_RATE - time.monotonic()) > 0:
                if (await asyncio.wait((gone,), timeout=left))[0]:
                    return gone.result()
            return False
        finally:
            gone.cancel()

    async def _disconnect(self) -> bool:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        return True


def has_body(headers: Headers) -> bool:
    """Return whether a request has a body, by its headers."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
