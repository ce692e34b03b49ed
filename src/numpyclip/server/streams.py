"""Responses that are too large for memory, sent block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from numpyclip.server.responses import OverloadedError
from numpyclip.server.service import Service

BLOCK = 256 << 10  # bytes that are read at once
_MAX_STREAMS = 32  # at once: clients may be slow


class Stream(Response):
    """A response of blocks, each made in a thread once the client has received those before.

    Parameters
    ----------
    request : Request
    blocks : iterator of bytes
        A generator, which closes what it has opened when nobody refers to it any more: a thread that still reads when
        the client is gone does that itself. An empty block lets others have their turn.
    headers : mapping
    status : int, default=200

    Raises
    ------
    OverloadedError
        If there are too many at once.
    """

    def __init__(
        self, request: Request, blocks: Iterator[bytes], headers: Mapping[str, str], status: int = 200
    ) -> None:
        self._service: Service = request.app.state.service
        if self._service.streams >= _MAX_STREAMS:
            raise OverloadedError("too many downloads at once; try again soon.", 5, 503)
        self._blocks = blocks
        super().__init__(status_code=status, headers=dict(headers))
        if "content-length" not in headers:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        self._service.streams += 1
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                while (block := await self._service.run_in_thread(next, self._blocks, None)) is not None:
                    if block:
                        await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            self._service.streams -= 1
