"""uvicorn, stopped so that no request is lost."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from numpyclip.interrupts import end_by
from numpyclip.server.access.addresses import LOOPBACK, Network
from numpyclip.server.access.proxy_headers import ProxyHeaders
from numpyclip.server.processes.connections import DeadlineProtocol
from numpyclip.server.processes.listening import QUEUE

_LAST_ACCEPT = 0.05  # seconds for connections that wait to be accepted when the server stops
_MARGIN = 10.0  # seconds for sending a response
_SHUTDOWN_TIMEOUT = 10  # seconds for requests in flight
_MAX_CONNECTIONS = 1000


class Server(uvicorn.Server):
    """Calls `on_exit` when it is to stop, before it waits for requests in flight; ends at once at the second signal.

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
            listener.listen(QUEUE)  # more than asyncio, which takes the queue's length for both, accepts at once
        self._stop_on_hangup()
        self._on_start()

    def _stop_on_hangup(self) -> None:
        """Make SIGHUP, by which services are reloaded, stop it like SIGTERM, unless it is ignored (nohup)."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.handle_exit, signal.SIGHUP, None)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is in flight, and what open connections still send."""
        self._on_exit()
        cast("type[DeadlineProtocol]", self.config.http_protocol_class).is_stopping = True
        await asyncio.sleep(_LAST_ACCEPT)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at once if this is the second signal."""
        if self.signal:  # not `should_exit`, which a supervisor may have set: this may be the first signal all the same
            end_by(sig)
        self.should_exit, self.signal = True, sig


def _max_connections() -> int:
    """Return the maximum number of connections: half of the file descriptors at most."""
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
    protocol = type("_Protocol", (DeadlineProtocol,), limits)
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
            timeout_keep_alive=3600,  # seconds, in place of which the deadlines of `DeadlineProtocol` count
            timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
        ),
        on_exit,
        on_start,
    )
