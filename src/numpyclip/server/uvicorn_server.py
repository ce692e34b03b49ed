"""The listening socket, and uvicorn with a timeout for silent connections."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from numpyclip.errors import NumPyCLIPError

_HEADER_TIMEOUT = 10.0  # seconds from connecting to the end of the headers
_SHUTDOWN_TIMEOUT = 10  # seconds for requests in flight
_MAX_CONNECTIONS = 1000


class _HeaderTimeoutProtocol(H11Protocol):
    """Closes connections whose headers do not arrive in time; uvicorn waits for them without limit."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(_HEADER_TIMEOUT, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def listen(host: str, port: int) -> socket.socket:
    """Open the socket, before the slow loading of the model, so that a port in use is reported at once.

    Returns
    -------
    socket

    Raises
    ------
    NumPyCLIPError
        If it cannot be opened.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=256)
        # asyncio sets TCP_NODELAY only if the socket's protocol is IPPROTO_TCP; without it responses take 40 ms longer.
        return socket.socket(listener.family, listener.type, socket.IPPROTO_TCP, listener.detach())
    except (OSError, OverflowError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0
        # not str(error): socket.create_server appends the address, which the message below has already
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        raise NumPyCLIPError(
            f"{host}:{port}: cannot listen there ({reason}). Another server may; try another --port."
        ) from error


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Make a server; run it with ``make_server(app).run([listener])``."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=cast(Any, _HeaderTimeoutProtocol),
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
        )
    )
