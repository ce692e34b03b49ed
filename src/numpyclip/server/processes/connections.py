"""Connections with deadlines for slow clients."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_LOG = logging.getLogger("numpyclip.server")
_IDLE_TIMEOUT = 15.0  # seconds between requests of a connection, and before the first
_HEADER_TIMEOUT = 10.0  # seconds from the first byte of a request to the end of its headers
_LAST_REQUEST = 1.0  # seconds in which an idle connection may still send a request when the server stops
_MAX_HEADERS = 32 << 10  # bytes
_BLOCK = 16 << 10  # bytes that are parsed at once
_MAX_CHUNKS = 4096  # of a body, unless they have many bytes: each takes as long as kilobytes
_MIN_CHUNK = 16  # bytes, on average


class _Connection(h11.Connection):
    """Counts the chunks of a body, and refuses too many."""

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._bytes += len(event.data)
            if self._chunks > max(_MAX_CHUNKS, self._bytes // _MIN_CHUNK):
                raise h11.RemoteProtocolError("the body's chunks are too small")
        return event


class DeadlineProtocol(H11Protocol, asyncio.BufferedProtocol):
    """Closes connections that wait for their client too long; uvicorn waits without limit once a byte has arrived."""

    request_timeout: float  # seconds from the end of the headers to that of the response, or between two blocks of it
    max_connections: int
    is_stopping = False  # of all connections of a server

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _Connection(h11.SERVER, _MAX_HEADERS)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Set the first deadline; if there are too many connections, close the one that waits longest."""
        super().connection_made(transport)
        self._phase: tuple[str, object] = ("", None)
        self._timer: asyncio.TimerHandle | None = None
        self._has_received = False  # some of a response for which it was waited, since this was last looked at
        self._update()
        if len(self.connections) > self.max_connections:
            waiting = [other for other in cast("set[DeadlineProtocol]", self.connections) if other.waits_for_client()]
            min(waiting, key=lambda other: other.since).transport.abort()  # this one, if no other waits

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return memory to receive into."""
        self._buffer = bytearray(_BLOCK)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what was received."""
        self.data_received(bytes(memoryview(self._buffer)[:nbytes]))
        self._update()

    def connection_lost(self, exc: Exception | None) -> None:
        """Set no more deadlines."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def on_response_complete(self) -> None:
        """Set the deadline of the next request."""
        super().on_response_complete()
        self._update()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the request is answered as without an upgrade, and is a line of the access log."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP request, or end the connection if a response has begun."""
        _LOG.info("%s sent what is no HTTP request.", self.client[0] if self.client else "a client")
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # a response has begun
            self.transport.abort()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True  # so that the application's response is not sent, too
        super().send_400_response(msg)

    def waits_for_client(self) -> bool:
        """Tell whether the client is to send or to receive something, and the connection is not being closed."""
        if self.transport.is_closing():
            return False
        return self._phase[0] != "request" or self.cycle.more_body or self.flow.write_paused

    def _update(self) -> None:
        """Set the deadline anew when another phase of the connection begins."""
        seconds = self.request_timeout
        phase: tuple[str, object] = ("request", self.cycle)
        is_between = self.cycle is None or self.cycle.response_complete
        if is_between and self.conn.their_state is not h11.SEND_BODY:  # else that of a body which nobody reads
            is_begun = bool(self.conn.trailing_data[0])
            phase = ("headers" if is_begun else "idle", self.cycle)
            seconds = _LAST_REQUEST if self.is_stopping else _HEADER_TIMEOUT if is_begun else _IDLE_TIMEOUT
        elif self.is_stopping and self.cycle is not None and self.cycle.keep_alive:
            self.cycle.keep_alive = False
            self.cycle.default_headers = [*self.cycle.default_headers, (b"connection", b"close")]
        if phase != self._phase:
            self._phase, self.since = phase, self.loop.time()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_later(seconds, self._end)

    def shutdown(self) -> None:
        """Answer the request that is in flight, or else one that comes at once, before the connection is closed.

        A client may have sent it already: closing idle connections now, as uvicorn does, would lose it.
        """
        self._phase = ("", None)
        self._update()

    def resume_writing(self) -> None:
        """Note that the client receives."""
        super().resume_writing()
        self._has_received = True

    def _end(self) -> None:
        """Abort, unless a response is being sent, of which the client receives more; the application ends slow ones."""
        is_sending = self._phase[0] == "request" and self.cycle.response_started and not self.cycle.response_complete
        if is_sending and not self.transport.is_closing() and (self._has_received or not self.flow.write_paused):
            self._has_received = False
            self._timer = self.loop.call_later(self.request_timeout, self._end)
        else:
            self.transport.abort()
