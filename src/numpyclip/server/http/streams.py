"""Responses that are too large for memory, sent block by block."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterator, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from numpyclip.server.http.responses import OverloadedError
from numpyclip.server.service import Service

BLOCK = 256 << 10  # bytes that are read at once
_MAX_STREAMS = 32  # at once: clients may be slow
_PATIENCE = 1.0  # seconds for which a client that takes nothing need not give way to others
_LOG = logging.getLogger("numpyclip.server")


class BrokenOff(Exception):
    """The rest of a response cannot be sent; its message goes to the log."""


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
    """

    def __init__(
        self, request: Request, blocks: Iterator[bytes], headers: Mapping[str, str], status: int = 200
    ) -> None:
        self._service: Service = request.app.state.service
        self._waiting_since = math.inf  # for the client
        self._gives_way = False
        self._task: asyncio.Task[object] | None = None
        self._blocks = blocks
        super().__init__(status_code=status, headers=dict(headers))
        if "content-length" not in headers:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; OverloadedError if there are too many at once."""
        self._make_room()
        self._task = asyncio.current_task()
        self._service.streams.add(self)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                while (block := await self._service.threads.run(next, self._blocks, None)) is not None:
                    if block:
                        self._waiting_since = time.monotonic()
                        await send({"type": "http.response.body", "body": block, "more_body": True})
                        self._waiting_since = math.inf
            await send({"type": "http.response.body"})
        except BrokenOff as error:
            _LOG.warning("%s", error)
            raise ClientDisconnect from error
        except asyncio.CancelledError:
            if self._gives_way:
                raise ClientDisconnect from None
            raise
        finally:
            self._service.streams.discard(self)
            # An error refers to this for as long as somebody has it: what is open must not wait for that.
            self._task, self._blocks = None, iter(())

    def _make_room(self) -> None:
        """If there are too many, end the one whose client has taken nothing for the longest time."""
        streams: set[Stream] = self._service.streams
        if len(streams) < _MAX_STREAMS:
            return
        idlest = min(streams, key=lambda stream: stream._waiting_since, default=self)
        if idlest._task is None or time.monotonic() - idlest._waiting_since < _PATIENCE:
            raise OverloadedError("too many downloads at once; try again soon.", 5, 503)
        idlest._gives_way = True
        streams.discard(idlest)
        idlest._task.cancel()
