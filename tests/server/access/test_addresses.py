import pytest
from uvicorn.middleware.proxy_headers import _TrustedHosts

from numpyclip.server.access.addresses import LOOPBACK, client_address, is_within, with_mapped


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.168.1.7", 1), "192.168.1.7"),
        (("::ffff:192.168.1.7", 1), "192.168.1.7"),
        (("fe80::1%eth0\nforged", 1), "fe80::1"),
        (("unix:/a", 0), None),
        (("", 0), None),
        (None, None),
    ],
)
def test_addresses_of_clients(client: tuple[str, int] | None, address: str | None) -> None:
    found = client_address({"client": client})
    assert (found and str(found)) == address
    assert not is_within(found, [])


def test_proxies_at_a_socket_of_both_versions() -> None:
    proxies = _TrustedHosts(with_mapped(LOOPBACK))
    assert all(address in proxies for address in ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"))
    assert not any(address in proxies for address in ("128.0.0.1", "::ffff:128.0.0.1", "::2"))
