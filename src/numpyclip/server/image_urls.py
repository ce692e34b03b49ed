"""Images by URL, from allowed hosts only: otherwise clients could reach what only the server can (SSRF)."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from numpyclip.server.responses import bad_request

_BLOCK = 1 << 16


def is_url(text: str) -> bool:
    """Return whether a string is an HTTP URL, not a data URI or base64."""
    return text[:8].lower().startswith(("http://", "https://"))


def fetch(url: str, hosts: Sequence[str], max_bytes: int, timeout: float) -> bytes:
    """Download a file from an allowed host. Redirects are not followed, as they may lead to other hosts.

    Parameters
    ----------
    url : str
    hosts : sequence of str
        ``name``, for the scheme's default port, or ``name:port``.
    max_bytes : int
        Maximum size of the file.
    timeout : float
        Seconds for the whole download.

    Returns
    -------
    bytes

    Raises
    ------
    HTTPException
        400 if the host is not allowed; 502 if the download fails.
    """
    shown = f"{url:.100}"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise bad_request(f"{shown}: is no URL ({error}).") from error
    named = host if port in (None, 443 if parts.scheme == "https" else 80) else f"{host}:{port}"
    if parts.username is not None or named not in hosts:
        raise bad_request(
            f"{shown}: this server does not fetch from {named or 'there'}; send the image itself, as a data URI. "
            "The server's owner can allow the host with --fetch-host."
        )
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=timeout)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "numpyclip", "Accept": "image/*"})
        response = connection.getresponse()
        if response.status != 200:
            raise HTTPException(502, f"{shown}: answered {response.status}; expected 200 and an image.")
        return _read(response, shown, max_bytes, time.monotonic() + timeout)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise HTTPException(502, f"{shown}: cannot be fetched ({type(error).__name__}).") from error
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, shown: str, max_bytes: int, deadline: float) -> bytes:
    data = bytearray()
    while block := response.read1(_BLOCK):
        data += block
        if len(data) > max_bytes:
            raise HTTPException(502, f"{shown}: is larger than {max_bytes} bytes.")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(data)
