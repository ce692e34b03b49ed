"""Downloads without pauses, proxies and settings of this machine; or without any socket."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from numpyclip.weights import download
from tests.weights.hub_server import Hub, using
from tests.weights.hub_trouble import FILES

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
OURS = ("CLIP_DIR", "NUMPYCLIP_MIRROR", "NUMPYCLIP_OFFLINE")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Clean the environment; write pauses down instead of sleeping."""
    for name in (*PROXIES, *map(str.upper, PROXIES), *OURS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(urllib.request, "getproxies", urllib.request.getproxies_environment)
    asked: list[float] = []
    monkeypatch.setattr(download, "_pause", asked.append)
    return asked


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with one model, which tests spoil."""
    with using(dict(FILES), tmp_path / "home") as hub:
        yield hub
