"""Headers by which reverse proxies name their clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from numpyclip.server.access.addresses import UNKNOWN_PROXY, Network, client_address, is_within, with_mapped

_HEADERS = {b"x-forwarded-for", b"forwarded", b"x-real-ip"}


class ProxyHeaders:
    """Takes clients' addresses from proxies' headers, and marks requests of other proxies, whose client is unknown.

    Parameters
    ----------
    app : ASGI application
    proxies : sequence of ipaddress.IPv4Network or ipaddress.IPv6Network
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[Network]) -> None:
        self._app = ProxyHeadersMiddleware(cast(Any, app), with_mapped(proxies))
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http":
            names = {name for name, _ in scope["headers"]}
            is_trusted = b"x-forwarded-for" in names and is_within(client_address(scope), self._proxies)
            if names & _HEADERS and not is_trusted:
                scope[UNKNOWN_PROXY] = True
        await self._app(cast(Any, scope), cast(Any, receive), cast(Any, send))
