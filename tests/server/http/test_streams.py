"""Responses that are sent block by block."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from numpyclip.server.http.streams import Stream


class Service:
    """As much of a service as a stream needs."""

    def __init__(self) -> None:
        self.streams: set[Any] = set()
        self.threads = self

    async def run(self, function: Any, *arguments: Any) -> Any:
        return function(*arguments)


@pytest.mark.parametrize("error", [OSError("the client is gone"), asyncio.CancelledError()])
def test_what_is_open_is_closed_at_once_whatever_ends_it(error: BaseException) -> None:
    """An error that somebody keeps has a traceback, whose frames refer to the response."""
    is_open = False

    def blocks() -> Iterator[bytes]:
        nonlocal is_open
        is_open = True
        try:
            while True:
                yield b"block"
        finally:
            is_open = False

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            assert is_open
            raise error

    service = Service()
    app = SimpleNamespace(state=SimpleNamespace(service=service))
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "app": app})
    stream = Stream(request, blocks(), {})
    with pytest.raises(type(error)) as kept:
        asyncio.run(stream(request.scope, None, send))  # type: ignore[arg-type]
    assert kept.value.__traceback__ is not None
    assert not is_open
    assert not service.streams
