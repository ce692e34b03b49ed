"""Addresses of clients, and networks of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

from starlette.types import Scope

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"


def client_address(scope: Scope) -> Address | None:
    """Return the address that a request comes from, which a trusted proxy may have named; None if it is none."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])  # without a zone, which may be any text
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    """Tell whether an address is in one of the networks."""
    return address is not None and any(address in each for each in networks)
