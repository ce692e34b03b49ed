"""Redirects, and what goes with them."""

import contextlib
import io
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from email.message import Message
from email.utils import formatdate
from pathlib import Path

import pytest

from numpyclip.weights import web_request
from numpyclip.weights.transfer import read_all
from numpyclip.weights.web_request import Broken, Refused, _is_within, _Redirects, ask
from tests.weights.scripted_server import Handler, answer, proper, serving, silent, stall_after


@pytest.mark.parametrize(
    ("url", "other", "expected"),
    [
        ("https://hub/a", "https://hub/b", True),
        ("https://hub/a", "https://HUB:443/b", True),
        ("http://hub/a", "https://hub/b", True),
        ("http://hub:8080/a", "https://hub/b", False),
        ("https://hub/a", "http://hub/b", False),
        ("https://hub/a", "https://hub:444/b", False),
        ("https://hub/a", "https://hub.evil/b", False),
        ("https://hub/a", "https://hub@evil/b", False),
        ("https://hub/a", "https://evil/https://hub/", False),
    ],
)
def test_what_is_within_a_host(url: str, other: str, expected: bool) -> None:
    assert _is_within(url, other) == expected


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_question_stays_one_after_a_redirect(code: int) -> None:
    request = urllib.request.Request("https://hub/a", method="HEAD")
    new = _Redirects().redirect_request(request, io.BytesIO(), code, "", Message(), "https://hub/b")
    assert new is not None and new.get_method() == "HEAD"


@pytest.mark.parametrize(("to", "goes"), [("https://hub/b", True), ("https://other/b", False), ("//x/b", False)])
def test_a_token_goes_within_its_host_only(to: str, goes: bool) -> None:
    request = urllib.request.Request("https://hub/a")
    request.add_unredirected_header("Authorization", "Bearer secret")
    to = urllib.parse.urljoin("https://hub/a", to)
    new = _Redirects().redirect_request(request, io.BytesIO(), 302, "", Message(), to)
    assert new is not None
    assert new.has_header("Authorization") == goes
    assert "secret" not in str(new.headers)


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [
        ("5", 5, 5),
        (" 7 ", 7, 7),
        (formatdate(time.time() + 1e6, usegmt=True), 1e5, 1e6),
        (formatdate(0, usegmt=True), 0, 0),
    ],
    ids=["5", " 7 ", "later", "1970"],
)
def test_a_busy_server_says_how_long_to_wait(told: str, least: float, most: float) -> None:
    with serving(b"", answer(429, Retry_After=told)) as script, pytest.raises(Refused) as caught:
        ask(script.url)
    assert caught.value.wait is not None
    assert least <= caught.value.wait <= most


@pytest.mark.parametrize("told", ["", "soon", "-1", "9" * 30, "Wed, 99 Oct 2015 07:28:00 GMT", "1e9"])
def test_what_it_says_may_mean_nothing(told: str) -> None:
    with serving(b"", answer(503, Retry_After=told)) as script, pytest.raises(Refused) as caught:
        ask(script.url)
    assert caught.value.wait is None


def test_headers_of_redirects_come_first() -> None:
    moves = (answer(302, Location="/there", X_Linked_Size=7, ETag="first"), proper)
    with serving(b"body", *moves) as script:
        found = ask(script.url)
        with found.body as body:
            assert body.read() == b"body"
    assert found.header("X-Linked-Size") == "7"
    assert found.header("etag") == "first"
    assert found.header("Content-Length") == "0"
    assert found.header("X-None") is None


def test_the_addresses_of_a_host_share_one_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []
    create_connection = socket.create_connection
    answered = (socket.AF_INET, socket.SOCK_STREAM, 6, "")

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        given.append(timeout)
        if address[0] != "127.0.0.1":
            raise TimeoutError("timed out")
        return create_connection(address, timeout)

    with serving(b"body") as script:
        port = int(script.url.rpartition(":")[2])
        hosts = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "127.0.0.1"]
        monkeypatch.setattr(socket, "create_connection", connect)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(*answered, (host, port)) for host in hosts])
        assert read_all(script.url, 4) == b"body"
        assert len(given) == 4
        assert given[0] <= web_request.CONNECT_TIMEOUT / 4
        hosts.pop()
        with pytest.raises(Broken, match="could not connect: timed out"):
            ask(script.url)
        hosts.clear()
        with pytest.raises(Broken, match="the host has no address"):
            ask(script.url)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate, which is trusted as long as the test runs."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=here", "-days", "1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    subprocess.run(["openssl", *made, *names, *files], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    return context


def test_https_is_read_as_http(tls: ssl.SSLContext) -> None:
    body = bytes(3 << 20)
    with serving(body, answer(302, Location="/there"), proper, tls=tls) as script:
        assert read_all(script.url, len(body), "token") == body
        assert [headers.get("Authorization") for _, headers in script.asked] == ["Bearer token"] * 2


def test_https_does_not_lead_to_http(tls: ssl.SSLContext) -> None:
    with serving(b"secret") as plain, serving(b"", answer(302, Location=plain.url), tls=tls) as script:
        for stays in (True, False):
            with pytest.raises(Refused, match=r"redirected from https to http://.*, which is not secure"):
                ask(script.url, stays=stays)
    assert plain.asked == []


def test_https_that_stalls_is_given_up(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_request, "TIMEOUT", 0.5)
    with serving(b"body", stall_after(2), tls=tls) as script, pytest.raises(Broken, match="stalled"):
        read_all(script.url, 4)
    with serving(b"body", silent, tls=tls) as script, pytest.raises(Broken, match=r"no answer for 0\.5"):
        ask(script.url)


def test_https_through_a_proxy(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(b"body", tls=tls) as script:

        def tunnel(handler: Handler) -> None:
            host, _, port = handler.path.partition(":")
            handler.head(200)
            with socket.create_connection((host, int(port))) as there:
                back = threading.Thread(target=copy, args=(there, handler.connection))
                back.start()
                copy(handler.connection, there)
                back.join()

        def copy(source: socket.socket, target: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(1 << 16):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

        with serving(b"", tunnel) as proxy:
            monkeypatch.setenv("https_proxy", proxy.url)
            assert read_all(script.url, 4, "token") == b"body"
    (asked,) = proxy.asked
    assert "Authorization" not in asked[1]  # the proxy sees no token
