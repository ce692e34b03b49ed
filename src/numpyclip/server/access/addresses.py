"""Addresses of clients, and networks of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from starlette.types import Scope

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1"))
UNKNOWN_PROXY = "numpyclip.unknown_proxy"  # in a scope: the request was forwarded, by an untrusted proxy


def client_address(scope: Scope) -> Address | None:
    """Return the address that a request comes from, which a trusted proxy may have named; None if it is none."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])  # without a zone, which may be any text
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def with_mapped(networks: Sequence[Network]) -> list[str]:
    """Add how a socket for both versions of IP writes addresses of version 4: ``::ffff:127.0.0.1``."""
    mapped = [f"::ffff:{each.network_address}/{96 + each.prefixlen}" for each in networks if each.version == 4]
    return [*map(str, networks), *mapped]


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    """Tell whether an address is in one of the networks."""
    return address is not None and any(address in each for each in networks)
