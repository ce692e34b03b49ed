"""The listening socket, and uvicorn with deadlines for slow clients."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from numpyclip.errors import NumPyCLIPError
from numpyclip.interrupts import end_by
from numpyclip.server.access.addresses import LOOPBACK, Network
from numpyclip.server.access.proxy_headers import ProxyHeaders

_LOG = logging.getLogger("numpyclip.server")
_IDLE_TIMEOUT = 15.0  # seconds between requests of a connection, and before the first
_HEADER_TIMEOUT = 10.0  # seconds from the first byte of a request to the end of its headers
_LAST_REQUEST = 1.0  # seconds in which an idle connection may still send a request when the server stops
_LAST_ACCEPT = 0.05  # seconds for connections that wait to be accepted then
_MARGIN = 10.0  # seconds for sending a response
_SHUTDOWN_TIMEOUT = 10  # seconds for requests in flight
_FIRST_DESCRIPTOR = 3  # of those that systemd hands over
_MAX_CONNECTIONS = 1000
_QUEUE = 2048  # connections that the system keeps until they are accepted
_MAX_HEADERS = 32 << 10  # bytes
_BLOCK = 16 << 10  # bytes that are parsed at once
_MAX_CHUNKS = 4096  # of a body, unless they have many bytes: each takes as long as kilobytes
_LEAST_CHUNK = 16  # bytes, on average


class _Connection(h11.Connection):
    """Counts the chunks of a body, and refuses too many."""

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._bytes += len(event.data)
            if self._chunks > max(_MAX_CHUNKS, self._bytes // _LEAST_CHUNK):
                raise h11.RemoteProtocolError("the body's chunks are too small")
        return event


class _DeadlineProtocol(H11Protocol, asyncio.BufferedProtocol):
    """Closes connections that wait for their client too long; uvicorn waits without limit once a byte has arrived."""

    request_timeout: float  # seconds from the end of the headers to that of the response, or between two blocks of it
    max_connections: int
    is_stopping = False  # of all connections of a server

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _Connection(h11.SERVER, _MAX_HEADERS)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._phase: tuple[str, object] = ("", None)
        self._timer: asyncio.TimerHandle | None = None
        self._has_received = False  # some of a response for which it was waited, since this was last looked at
        self._update()
        if len(self.connections) > self.max_connections:
            waiting = [other for other in cast("set[_DeadlineProtocol]", self.connections) if other.waits_for_client()]
            min(waiting, key=lambda other: other.since).abort()  # this one, if no other waits

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return memory to receive into."""
        self._buffer = bytearray(_BLOCK)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what was received."""
        self.data_received(bytes(memoryview(self._buffer)[:nbytes]))
        self._update()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._update()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the request is answered as without an upgrade, and is a line of the access log."""

    def send_400_response(self, msg: str) -> None:
        _LOG.info("%s sent what is no HTTP request.", self.client[0] if self.client else "a client")
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # a response has begun
            self.abort()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True  # so that the application's response is not sent, too
        super().send_400_response(msg)

    def waits_for_client(self) -> bool:
        """Tell whether the client is to send or to receive something, and the connection is not being closed."""
        if self.transport.is_closing():
            return False
        return self._phase[0] != "request" or self.cycle.more_body or self.flow.write_paused

    def abort(self) -> None:
        """Close the connection, whether or not the client receives what was sent."""
        self.transport.abort()

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
        super().resume_writing()
        self._has_received = True

    def _end(self) -> None:
        """Abort, unless a response is being sent, of which the client receives more; the application ends slow ones."""
        is_sending = self._phase[0] == "request" and self.cycle.response_started and not self.cycle.response_complete
        if is_sending and not self.transport.is_closing() and (self._has_received or not self.flow.write_paused):
            self._has_received = False
            self._timer = self.loop.call_later(self.request_timeout, self._end)
        else:
            self.abort()


class Server(uvicorn.Server):
    """Calls `on_exit` at the first signal, before it waits for requests in flight, and ends at once at the second.

    uvicorn raises signals again inside `run`, which would end the process before what comes after it.

    Attributes
    ----------
    signal : int
        That it was stopped by, else 0.
    """

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], object], on_start: Callable[[], object]) -> None:
        super().__init__(config)
        self.signal = 0
        self._on_exit = on_exit
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_QUEUE)  # more than asyncio, which takes the queue's length for both, accepts at once
        self._stop_on_hangup()
        self._on_start()

    def _stop_on_hangup(self) -> None:
        """Have SIGHUP, by which services are reloaded, stop it as SIGTERM does, unless it is ignored (nohup)."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.handle_exit, signal.SIGHUP, None)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is in flight, and what open connections still send."""
        self._on_exit()
        cast("type[_DeadlineProtocol]", self.config.http_protocol_class).is_stopping = True
        await asyncio.sleep(_LAST_ACCEPT)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at once if this is the second signal."""
        if self.should_exit:
            end_by(sig)
        self.should_exit, self.signal = True, sig


def listen(host: str, port: int) -> socket.socket:
    """Open the socket, before the slow loading of the model, so that a port in use is reported at once.

    If systemd has opened one for this process, that is taken instead.

    Returns
    -------
    socket

    Raises
    ------
    NumPyCLIPError
        If it cannot be opened.
    """
    if (inherited := _inherited()) is not None:
        return inherited
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=_QUEUE)
        # asyncio sets TCP_NODELAY only if the socket's protocol is IPPROTO_TCP; without it responses take 40 ms longer.
        return socket.socket(listener.family, listener.type, socket.IPPROTO_TCP, listener.detach())
    except (OSError, OverflowError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0
        # not str(error): socket.create_server appends the address, which the message below has already
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        raise NumPyCLIPError(
            f"{host}:{port}: cannot listen there ({reason}). Another server may; try another --port."
        ) from error


def _inherited() -> socket.socket | None:
    """Take the socket of systemd, in which connections wait while this server restarts: see sd_listen_fds(3)."""
    process, count, _ = (os.environ.pop(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES"))
    if process != str(os.getpid()):
        return None
    if count != "1":
        raise NumPyCLIPError(f"LISTEN_FDS is {count!r:.20}; expected 1: the unit has one ListenStream=, a port.")
    try:
        listener = socket.socket(fileno=_FIRST_DESCRIPTOR)
    except OSError as error:
        raise NumPyCLIPError(f"LISTEN_FDS is 1, and descriptor 3 is no socket ({error.strerror}).") from error
    is_listening = listener.type == socket.SOCK_STREAM and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listener.family not in (socket.AF_INET, socket.AF_INET6) or not is_listening:
        raise NumPyCLIPError("descriptor 3 of systemd is no port that is listened at; expected ListenStream=PORT.")
    listener.set_inheritable(False)
    return listener


def _max_connections() -> int:
    """Leave half of the descriptors that this process may open to files."""
    try:
        import resource
    except ImportError:  # Windows
        return _MAX_CONNECTIONS
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MAX_CONNECTIONS if descriptors == resource.RLIM_INFINITY else min(_MAX_CONNECTIONS, descriptors // 2)


def make_server(
    app: ASGIApp,
    timeout: float = 60.0,
    on_exit: Callable[[], object] = lambda: None,
    on_start: Callable[[], object] = lambda: None,
    proxies: Sequence[Network] = LOOPBACK,
) -> Server:
    """Make a server; run it with ``make_server(app).run([listener])``.

    Parameters
    ----------
    app : ASGI application
    timeout : float
        Seconds in which a request must arrive, and seconds in which the application answers it.
    on_exit : callable
        Called once it is to stop, before requests in flight are waited for.
    on_start : callable
        Called once requests are answered.
    proxies : sequence of ipaddress.IPv4Network or ipaddress.IPv6Network
        Reverse proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are trusted.
    """
    most = _max_connections()
    limits = {"request_timeout": 2 * timeout + _MARGIN, "max_connections": most}
    protocol = type("_Protocol", (_DeadlineProtocol,), limits)
    return Server(
        uvicorn.Config(
            ProxyHeaders(app, proxies),
            http=cast(Any, protocol),
            ws="none",
            lifespan="on",
            log_config=None,  # that of the process
            proxy_headers=False,  # which `ProxyHeaders` reads
            backlog=max(1, most // 8),  # so many are accepted before the first of them can be let go
            access_log=False,
            server_header=False,
            timeout_keep_alive=3600,  # seconds, in place of which _IDLE_TIMEOUT counts
            timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
        ),
        on_exit,
        on_start,
    )
