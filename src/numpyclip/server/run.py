"""A socket, uvicorn, and what uvicorn leaves open."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from numpyclip.errors import NumPyCLIPError

_HEADERS = 10.0  # seconds in which a client that connects must have said what it wants
_SHUTDOWN = 10  # seconds that requests in work have when the server is stopped
_CONNECTIONS = 1000


class _PromptProtocol(H11Protocol):
    """HTTP, but not with clients that connect and then say nothing, or very slowly, which uvicorn waits for forever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(_HEADERS, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def listen(host: str, port: int) -> socket.socket:
    """Open the socket, before anything that takes long is done.

    Raises
    ------
    NumPyCLIPError
        If it cannot be opened.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=256)
        # Only a socket that says that it is TCP's gets TCP_NODELAY from asyncio; without it answers wait for 40 ms.
        return socket.socket(listener.family, listener.type, socket.IPPROTO_TCP, listener.detach())
    except (OSError, OverflowError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0
        # socket.create_server adds the address to the text, which the message below has too.
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        raise NumPyCLIPError(
            f"{host}:{port}: cannot listen there ({reason}). Another server may; try another --port."
        ) from error


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Make a server, to be run with its sockets: ``server_of(app).run([listener])``."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=cast(Any, _PromptProtocol),
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_SHUTDOWN,
        )
    )
