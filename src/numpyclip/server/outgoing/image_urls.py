"""Images by URL, from allowed hosts only: otherwise clients could reach what only the server can (SSRF)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import SplitResult, quote, urlsplit

import h11
from starlette.exceptions import HTTPException

from numpyclip.errors import InputError
from numpyclip.server.http.responses import OverloadedError, RefusedURLError
from numpyclip.server.outgoing.http_client import PORTS, TooLargeError, connect, exchange

_MAX_FETCHES = 16  # at once, until their images are decoded
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Return whether an IP address is public, also one of IPv4 that is embedded in IPv6."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour
        carried = carried or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if carried is not None:
            return is_public(str(carried))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


class Fetcher:
    """Downloads images from allowed hosts; callers set the deadline by cancellation, which works at any moment.

    Parameters
    ----------
    hosts : sequence of str
        ``name``, for the default port of the URL's scheme, or ``name:port``.
    private : bool, default=False
        Whether a name may resolve to an address that is not public. An address that is among `hosts` itself may be any.

    Raises
    ------
    InputError
        If a host is written otherwise.
    """

    def __init__(self, hosts: Sequence[str], *, private: bool = False) -> None:
        self.slots = asyncio.Semaphore(_MAX_FETCHES)
        self._hosts = set(map(_host, hosts))
        self._private = private
        self._resolvers = ThreadPoolExecutor(4, "numpyclip-resolving")  # which nothing else needs
        self._tasks: set[asyncio.Task[object]] = set()
        self._is_stopped = False

    def stop(self) -> None:
        """End all downloads; later ones are refused."""
        self._is_stopped = True
        self._resolvers.shutdown(wait=False, cancel_futures=True)
        for task in self._tasks:
            task.cancel()

    async def fetch(self, url: str, max_bytes: int) -> bytes:
        """Download a file from an allowed host. Redirects are not followed, as they may lead to other hosts.

        Raises
        ------
        InputError
            If it is no URL.
        HTTPException
            400 if the host is not allowed; 502 if the download fails; 503 if the server stops.
        """
        shown = f"{url:.100}"
        parts = self._allowed(url, shown)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._is_stopped:
                raise asyncio.CancelledError
            return await self._download(parts, shown, max_bytes)
        except asyncio.CancelledError:
            if self._is_stopped:
                raise OverloadedError("the server is shutting down; try again soon.", 5, 503) from None
            raise
        except (OSError, h11.ProtocolError, UnicodeError) as error:
            raise HTTPException(502, f"{shown}: cannot be fetched ({type(error).__name__}).") from error
        finally:
            self._tasks.discard(task)

    def _allowed(self, url: str, shown: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
            target = quote(f"{parts.path or '/'}?{parts.query}", safe="/?%:@!$&'()*+,;=~")
        except ValueError as error:
            raise InputError(f"{shown}: is no URL ({error!s:.100}).") from error
        is_known = (host, port) in self._hosts or ((host, None) in self._hosts and port == PORTS[parts.scheme])
        if parts.username is not None or not is_known:
            raise RefusedURLError(
                f"{shown}: this server does not fetch from {host or 'there'}, port {port}; send the image itself, as a "
                "data URI. The server's owner can allow the host with --fetch-host."
            )
        return parts._replace(path=target.removesuffix("?"), query="")

    async def _download(self, parts: SplitResult, shown: str, max_bytes: int) -> bytes:
        host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode("ascii")
        headers = [("Host", host), ("User-Agent", "numpyclip"), ("Accept", "image/*"), ("Connection", "close")]
        request = h11.Request(method="GET", target=parts.path, headers=headers)
        try:
            response, data = await exchange(await self._connect(parts, shown), request, max_bytes=max_bytes)
        except TooLargeError as error:
            raise HTTPException(502, f"{shown}: is larger than {max_bytes} bytes.") from error
        if response.status_code != 200:
            raise HTTPException(502, f"{shown}: answered {response.status_code}; expected 200 and an image.")
        return data

    async def _connect(self, parts: SplitResult, shown: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to an address that has been checked; the name is not looked up again."""
        error: OSError | None = None
        for address in await self._addresses(parts.hostname or "", parts.port or PORTS[parts.scheme], shown):
            try:
                return await connect(address, parts)
            except OSError as failure:
                error = failure
        raise error or OSError("no address")

    async def _addresses(self, host: str, port: int, shown: str) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._resolvers, look_up)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [address for address in addresses if self._private or is_public(address)]
        if not allowed:
            raise HTTPException(
                502,
                f"{shown}: {host} has no public address; the server's owner can allow others with --fetch-private.",
            )
        return allowed


def _host(written: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{written}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.netloc != written or parts.username is not None:
        raise InputError(f"a host to fetch from (--fetch-host) is {written!r:.100}; expected NAME or NAME:PORT.")
    return host, port
