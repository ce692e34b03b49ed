"""Forwards tasks other than CLIP to Immich's own machine-learning server, since Immich has one URL for all tasks."""

from __future__ import annotations

import asyncio
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

import h11
from starlette.exceptions import HTTPException
from starlette.responses import Response

from numpyclip.errors import InputError
from numpyclip.server.outgoing.http_client import PORTS, TooLargeError, connect, exchange

_VIA = "1.1 numpyclip"  # marks what is forwarded, as proxies do
_MAX_REQUESTS = 16  # at once
_MAX_BYTES = 8 << 20  # of an answer: faces and texts of an image


def forward_target(url: str) -> SplitResult:
    """Return the URL of a server; InputError unless it is ``http://HOST:PORT`` or ``https://HOST:PORT``."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in PORTS and parts.hostname and (parts.port or True) and "@" not in parts.netloc
    except ValueError:
        known = False
    if not known or parts.path.strip("/") or parts.query or parts.fragment or not url.isascii():
        raise InputError(
            f"immich_forward is {url!r:.100}; expected the URL of a server, such as http://immich-machine-learning:3003."
        )
    return parts


class ImmichForward:
    """Sends requests to one server, set by the owner of this one: no request can choose another (SSRF).

    Parameters
    ----------
    url : str
        ``http://HOST:PORT`` of the server.

    Raises
    ------
    InputError
        If the URL is none.
    """

    def __init__(self, url: str) -> None:
        self._target = forward_target(url)
        self._slots = asyncio.Semaphore(_MAX_REQUESTS)

    async def predict(self, entries: str, name: str, value: bytes, via: str) -> Response:
        """Send tasks, as JSON, and the image or text that they are for; return the answer.

        Parameters
        ----------
        entries, name, value
            The tasks, and the field of the request that has the image or text.
        via : str
            The request's header ``Via``.

        Raises
        ------
        HTTPException
            502 if the server cannot be reached, or answers with an error or what is no JSON object, or if the request
            was forwarded before: this server may be the one that it forwards to.
        """
        if _VIA in via:
            raise HTTPException(502, "--immich-forward leads to a server of numpyclip; expected Immich's own.")
        boundary = uuid4().hex
        file = '; filename="image"\r\nContent-Type: application/octet-stream' if name == "image" else ""
        start = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="entries"\r\n\r\n{entries}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        )
        body = (start.encode("utf-8", "replace"), value, f"\r\n--{boundary}--\r\n".encode())
        headers = [
            ("Host", self._target.netloc),
            ("Content-Type", f"multipart/form-data; boundary={boundary}"),
            ("Content-Length", str(sum(map(len, body)))),
            ("Connection", "close"),
            ("Via", _VIA),
        ]
        try:
            async with self._slots:
                request = h11.Request(method="POST", target="/predict", headers=headers)
                streams = await connect(self._target.hostname or "", self._target)
                answer, data = await exchange(streams, request, body, max_bytes=_MAX_BYTES)
        except (OSError, h11.ProtocolError, TooLargeError) as error:
            message = f"Immich's own server, to which this task is forwarded, does not answer ({type(error).__name__})."
            raise HTTPException(502, message) from error
        if answer.status_code != 200:
            message = f"Immich's own server, to which this task is forwarded, answered {answer.status_code}."
            raise HTTPException(502, message)
        if not data.lstrip().startswith(b"{"):
            raise HTTPException(502, "Immich's own server, to which this task is forwarded, answered no JSON object.")
        return Response(data, media_type="application/json")
