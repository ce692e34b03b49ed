"""Pictures at an address, where fetching is allowed at all: a server that fetches what strangers name is a way in."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from numpyclip.server.problems import bad_request

_BLOCK = 1 << 16


def is_address(text: str) -> bool:
    """Tell an address from a data URI."""
    return text[:8].lower().startswith(("http://", "https://"))


def fetch(address: str, hosts: Sequence[str], max_bytes: int, timeout: float) -> bytes:
    """Fetch a file from one of these hosts. Redirections are not followed: they may lead elsewhere.

    Parameters
    ----------
    address : str
    hosts : sequence of str
        ``name``, whose usual port is meant, or ``name:port``.
    max_bytes : int
    timeout : float
        Seconds that it may take.

    Raises
    ------
    HTTPException
        400 if the host is none of them; 502 if there is no such file.
    """
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise bad_request(f"{address:.100}: is no address ({error}).") from error
    named = host if port in (None, 443 if parts.scheme == "https" else 80) else f"{host}:{port}"
    if parts.username is not None or named not in hosts:
        raise bad_request(
            f"{address:.100}: this server fetches nothing from {named or 'there'}; send the picture itself, as a data "
            "URI. Its owner may allow a host with --fetch-host."
        )
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "numpyclip", "Accept": "image/*"})
        response = connection.getresponse()
        if response.status != 200:
            raise HTTPException(502, f"{address:.100}: answered {response.status}; expected a picture.")
        return _read(response, address, max_bytes, time.monotonic() + timeout)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise HTTPException(502, f"{address:.100}: cannot be fetched ({type(error).__name__}).") from error
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, address: str, max_bytes: int, deadline: float) -> bytes:
    data = bytearray()
    while block := response.read1(_BLOCK):
        data += block
        if len(data) > max_bytes:
            raise HTTPException(502, f"{address:.100}: is larger than {max_bytes} bytes.")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(data)
