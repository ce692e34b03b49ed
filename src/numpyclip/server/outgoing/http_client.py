"""One HTTP request to another server, with a limited response; callers set the deadline by cancellation."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from functools import cache
from urllib.parse import SplitResult

import h11

_BLOCK = 8 << 10  # bytes that are parsed at once
_MAX_HEADERS = 32 << 10  # bytes
PORTS = {"http": 80, "https": 443}


class TooLargeError(Exception):
    """A response has more bytes than expected."""


async def connect(address: str, url: SplitResult) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to an address for a URL, whose host the certificate must be of."""
    port = url.port or PORTS[url.scheme]
    if url.scheme == "https":
        return await asyncio.open_connection(address, port, ssl=_tls(), server_hostname=url.hostname)
    return await asyncio.open_connection(address, port)


async def exchange(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    request: h11.Request,
    body: Iterable[bytes] = (),
    *,
    max_bytes: int,
) -> tuple[h11.Response, bytes]:
    """Send a request, and close the connection after its response, which is returned with its body.

    Redirects are not followed, as they may lead to other hosts.

    Raises
    ------
    TooLargeError
        If the body of the response has more than `max_bytes`.
    OSError, h11.ProtocolError
        If the connection fails, or what comes is no HTTP.
    """
    reader, writer = streams
    response, data = None, bytearray()
    try:
        peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEADERS)
        writer.write(peer.send(request) or b"")
        for piece in body:
            writer.write(peer.send(h11.Data(piece)) or b"")
            await writer.drain()
        writer.write(peer.send(h11.EndOfMessage()) or b"")
        while not isinstance(event := peer.next_event(), h11.EndOfMessage):
            await asyncio.sleep(0)  # others have their turn, however much has arrived, and of whatever kind
            if event is h11.NEED_DATA:
                peer.receive_data(await reader.read(_BLOCK))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                data += event.data
                if len(data) > max_bytes:
                    raise TooLargeError
        assert response is not None  # h11 has seen one
        return response, bytes(data)
    finally:
        writer.transport.abort()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
