"""Clients that are slow, silent, or send what is no HTTP."""

import itertools
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.server import create_app
from numpyclip.server.monitoring.logs import logging_to_stderr
from numpyclip.server.processes import connections, uvicorn_server
from tests.server.access.test_middleware import talk
from tests.server.conftest import Client, Serve, running


def test_clients_that_say_nothing_are_let_go(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    monkeypatch.setattr(connections, "_HEADER_TIMEOUT", 0.2)
    client = serve()
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as silent:
        silent.sendall(b"GET /healthz HT")
        assert silent.recv(1) == b""
    assert client.get("/healthz").status == 200


def closed(connection: socket.socket, drip: bytes) -> bool:
    """Send these bytes one by one, for as long as the connection is open."""
    connection.settimeout(0.02)
    for byte in itertools.cycle(drip):
        try:
            connection.sendall(bytes([byte]))
            if not connection.recv(1 << 16):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "drip"),
    [
        (b"", b"GET /healthz HTTP/1.1\r\nA: " + b"a" * 10_000),
        (GOOD, b"GET /healthz HTTP/1.1\r\nA: " + b"a" * 10_000),  # a connection that was good once
        (GOOD + GOOD, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000),
        (GOOD + POST, b"a" * 10_000),  # a body that nobody reads
        (POST.replace(b"healthz", b"search"), b" " * 10_000),
        (
            POST.replace(b"healthz", b"search").replace(b"Content-Length: 1000000", b"Transfer-Encoding: chunked"),
            b"1;a",
        ),
    ],
)
def test_clients_that_drip_are_let_go(monkeypatch: pytest.MonkeyPatch, tiny: CLIP, start: bytes, drip: bytes) -> None:
    for module, name in ((connections, "_HEADER_TIMEOUT"), (connections, "_IDLE_TIMEOUT"), (uvicorn_server, "_MARGIN")):
        monkeypatch.setattr(module, name, 0.2)
    with (
        running(create_app(tiny, "tiny"), timeout=0.1) as client,
        socket.create_connection(("127.0.0.1", client.port)) as connection,
    ):
        connection.sendall(start)
        assert closed(connection, drip)


def test_clients_that_do_not_read_are_let_go(monkeypatch: pytest.MonkeyPatch, tiny: CLIP) -> None:
    monkeypatch.setattr(uvicorn_server, "_MARGIN", 0.2)
    ended = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await create_app(tiny, "tiny")(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):  # more than all buffers hold
            await send({"type": "http.response.body", "body": b"a" * (1 << 20), "more_body": True})
        ended.set()

    with running(app, timeout=0.1) as client, socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.sendall(GOOD)
        assert ended.wait(60)


def test_when_there_are_too_many_the_one_that_waits_longest_is_let_go(
    monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> None:
    monkeypatch.setattr(uvicorn_server, "_MAX_CONNECTIONS", 10)
    client = serve()
    slow = [socket.create_connection(("127.0.0.1", client.port), timeout=60) for _ in range(10)]
    try:
        for connection in slow:
            connection.sendall(b"GET /healthz HT")
        assert client.get("/search?q=a+house").status == 200
        with suppress(ConnectionResetError):
            assert slow[0].recv(1) == b""
        slow[-1].sendall(b"TP/1.1\r\nHost: a\r\n\r\n")
        assert slow[-1].recv(12) == b"HTTP/1.1 200"
    finally:
        for connection in slow:
            connection.close()


CHUNKED = b"POST /search HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


def test_chunks_of_a_byte_are_refused(client: Client) -> None:
    answer = talk(client, CHUNKED, b"1\r\n \r\n" * 4096 + b"1\r\n ")
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1") == 1
    lines = b"\r\n" * 20_000  # of the content, not of chunks
    for chunks in ([b" " * 64] * 6000, [b" "] * 4000, [lines], [lines[:10_001], lines[10_001:]]):
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b"{}"])
        assert b'"matches"' in talk(client, CHUNKED, body, b"0\r\n\r\n")


def test_what_is_no_chunk_is_told(client: Client) -> None:
    answer = talk(client, CHUNKED, b"no chunk\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"Invalid HTTP request received." in answer


def test_no_client_writes_warnings(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("info", "text"):
        upgrade = (
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n"
        )
        assert talk(client, upgrade).startswith(b"HTTP/1.1 200 ")
        assert talk(client, b"\x16\x03\x01\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    said = capsys.readouterr().err
    assert "info: 127.0.0.1 sent what is no HTTP request." in said
    assert "warning" not in said


def test_too_many_headers_are_refused(client: Client) -> None:
    with (
        suppress(ConnectionResetError, BrokenPipeError),
        socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection,
    ):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * 20_000)
        assert connection.recv(12) == b"HTTP/1.1 400"
