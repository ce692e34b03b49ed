"""Against real file servers, which redirect, send too much, and take their time."""

import asyncio
import base64
import http.server
import itertools
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.server.http.responses import RefusedURLError
from numpyclip.server.outgoing.image_urls import Fetcher, is_public
from tests.http_server import running
from tests.server.conftest import Png, Serve


@pytest.fixture(scope="module")
def site(png: Png) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/bird.png")
                self.end_headers()
                return
            data = png("bird") if self.path in ("/bird.png?size=1", "/a%20%C3%A9") else b"x" * 100_000
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None: ...

    with running(Handler) as url:
        yield url.removeprefix("http://")


def fetch(url: str, *hosts: str, max_bytes: int = 1000, private: bool = False, seconds: float = 60) -> bytes:
    async def main() -> bytes:
        return await asyncio.wait_for(Fetcher(hosts, private=private).fetch(url, max_bytes), seconds)

    return asyncio.run(main())


def test_a_host_that_is_allowed_is_asked(serve: Serve, site: str, tiny: CLIP, png: Png) -> None:
    client = serve(fetch_hosts=(site,))
    body = {"modality": "image", "input": f"http://{site}/bird.png?size=1", "encoding_format": "base64"}
    answer = client.post("/v1/embeddings", body)
    found = np.frombuffer(base64.b64decode(answer.json["data"][0]["embedding"]), "<f4")
    np.testing.assert_allclose(found, tiny.embed_images(png("bird"))[0], atol=1e-6)
    assert fetch(f"http://{site}/a é", site, max_bytes=1 << 20) == png("bird")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"modality": "image", "input": "URL"}),
        ("/embeddings", {"modality": "image", "input": "URL"}),
        ("/embeddings_image", {"input": "URL"}),
        ("/search", {"image": "URL"}),
        ("/classify", {"image": "URL", "labels": ["a", "b"]}),
        ("/vectorize", {"images": ["URL"]}),
        ("/knn-service", {"image_url": "URL"}),
        ("/post", {"data": [{"uri": "URL"}]}),
    ],
)
def test_what_cannot_be_fetched_is_an_error_that_is_described(
    serve: Serve, site: str, path: str, body: dict[str, Any]
) -> None:
    client = serve(fetch_hosts=(site,))
    sent = json.loads(json.dumps(body).replace("URL", f"http://{site}/moved"))
    assert client.post(path, sent).status == (400 if path.startswith("/embeddings") else 502)  # as Infinity has it


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/bird.png",  # another port
        "http://user@{site}/bird.png",
        "http://@{site}/bird.png",
        "http://{site}@127.0.0.1/bird.png",
        "http://{site}\\@127.0.0.1/bird.png",
        "http://{site}#@127.0.0.1/",
        "http://example.com@127.0.0.1/",
        "http://localhost:1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://127.0.0.1.:1/",
        "http://{site}.evil.example/",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:99999/",
        "http:///bird.png",
        "http://[/",
        "https://{site}]/",
        "http://{site}/\ud800",
    ],
)
def test_no_other_host_is(site: str, address: str) -> None:
    if address == "http://{site}#@127.0.0.1/":
        assert len(fetch(address.replace("{site}", site), site, max_bytes=1 << 20)) == 100_000  # a fragment is not sent
        return
    with pytest.raises((InputError, RefusedURLError)):
        fetch(address.replace("{site}", site), site)


@pytest.mark.parametrize(
    ("host", "url", "is_allowed"),
    [
        ("a.example", "http://a.example/", True),
        ("a.example", "https://A.example:443/", True),
        ("A.example:80", "http://a.example/", True),
        ("a.example:80", "http://a.example:80/", True),
        ("a.example:80", "https://a.example/", False),
        ("a.example", "http://a.example:81/", False),
        ("a.example", "http://a.example./", False),
        ("[::1]:8000", "http://[::1]:8000/", True),
        ("[::1]:8000", "http://[::1]/", False),
        ("[::1]", "http://[::1]/", True),
    ],
)
def test_hosts_match_as_written(monkeypatch: pytest.MonkeyPatch, host: str, url: str, is_allowed: bool) -> None:
    async def download(self: Fetcher, *args: object) -> bytes:
        return b"data"

    monkeypatch.setattr(Fetcher, "_download", download)
    if is_allowed:
        assert fetch(url, host) == b"data"
    else:
        with pytest.raises(HTTPException, match="--fetch-host"):
            fetch(url, host)


@pytest.mark.parametrize("host", ["", "a:x", "http://a", "a/b", "u@a", "[::1", "a:99999", "a\nb"])
def test_hosts_that_are_none(host: str) -> None:
    with pytest.raises(InputError, match=r"--fetch-host\) is .*; expected NAME or NAME:PORT"):
        fetch("http://a/", host)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((address, True) for address in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1")),
        *((address, False) for address in ("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254")),
        *((address, False) for address in ("100.64.0.1", "0.0.0.0", "224.0.1.1", "255.255.255.255", "240.0.0.1")),
        *((address, False) for address in ("::1", "::", "fe80::1", "fe80::1%2", "fc00::1", "fec0::1", "ff02::1")),
        *((address, False) for address in ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:a00:1::1")),
        *((address, False) for address in ("::127.0.0.1", "2001:db8::1", "192.0.2.1", "198.18.0.1", "64:ff9b:1::1")),
    ],
)
def test_addresses_of_the_public_internet(address: str, expected: bool) -> None:
    assert is_public(address) is expected


def test_a_name_is_looked_up_once_and_must_be_public(monkeypatch: pytest.MonkeyPatch, site: str, png: Png) -> None:
    port = int(site.rpartition(":")[2])
    asked: list[str] = []

    def getaddrinfo(host: str, *args: Any, **options: Any) -> list[Any]:
        asked.append(host)
        addresses = ["192.168.0.1"] if len(asked) > 1 else ["::ffff:127.0.0.1", "127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    host, url = f"a.example:{port}", f"http://a.example:{port}/bird.png?size=1"
    with pytest.raises(HTTPException, match=r"a\.example has no public address; .*--fetch-private") as caught:
        fetch(url, host)
    assert caught.value.status_code == 502
    asked.clear()
    assert fetch(url, host, private=True, max_bytes=1 << 20) == png("bird")
    assert [name for name in asked if name == "a.example"] == ["a.example"]


def test_redirections_and_too_much_are_refused(site: str) -> None:
    with pytest.raises(HTTPException, match="answered 302"):
        fetch(f"http://{site}/moved", site)
    with pytest.raises(HTTPException, match="is larger than 1000 bytes"):
        fetch(f"http://{site}/large", site)


def test_a_host_that_does_not_answer_is_no_fault_of_ours() -> None:
    with pytest.raises(HTTPException, match="cannot be fetched") as caught:
        fetch("http://127.0.0.1:9/", "127.0.0.1:9")
    assert caught.value.status_code == 502


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DRIPS = {
    "nothing": (b"", b""),
    "the status": (b"HTTP/1.1 200 ", b"O"),
    "a header": (b"HTTP/1.1 200 OK\r\nA: ", b"b"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"a"),
    "a body without end": (b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
    "a chunk's size": (CHUNKED + b"1;", b"a"),
    "chunks": (CHUNKED, b"1\r\na\r\n"),
    "a trailer": (CHUNKED + b"1\r\na\r\n0\r\nA: ", b"b"),
}


@contextmanager
def dripping(start: bytes, drip: bytes) -> Iterator[tuple[str, threading.Event]]:
    """A host that sends bytes slowly, for as long as its client takes them; the event tells when that is over."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(0.01)
                try:
                    accepted.sendall(start)
                    for _ in itertools.count():
                        accepted.sendall(drip)
                        try:
                            if not accepted.recv(1 << 16):
                                break
                        except TimeoutError:
                            continue
                except OSError:
                    pass
            over.set()

        thread = threading.Thread(target=run)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", over
        thread.join()


@pytest.mark.parametrize("what", DRIPS)
def test_a_host_that_drips_is_left_when_the_time_is_over(what: str) -> None:
    with dripping(*DRIPS[what]) as (host, over):
        with pytest.raises(asyncio.TimeoutError):
            fetch(f"http://{host}/", host, seconds=0.1)
        assert over.wait(60)


def test_a_request_ends_with_its_time_whatever_it_fetches(serve: Serve) -> None:
    with dripping(*DRIPS["headers"]) as (one, _), dripping(*DRIPS["nothing"]) as (other, over):
        client = serve(fetch_hosts=(one, other), timeout=0.5)
        answer = client.post("/v1/embeddings", {"modality": "image", "input": [f"http://{one}/", f"http://{other}/"]})
        assert (answer.status, answer.message) == (503, "not done in 0.5 s; try again later.")
        assert over.wait(60)
        assert client.get("/search?q=a+house").status == 200


def test_what_is_fetched_ends_when_the_server_stops() -> None:
    async def main(host: str) -> None:
        fetcher = Fetcher([host])
        download = asyncio.create_task(fetcher.fetch(f"http://{host}/", 1000))
        while not fetcher._tasks:
            await asyncio.sleep(0)
        fetcher.stop()
        for refused in (download, fetcher.fetch(f"http://{host}/", 1000)):
            with pytest.raises(HTTPException, match="shutting down") as caught:
                await refused
            assert caught.value.status_code == 503

    with dripping(*DRIPS["headers"]) as (host, over):
        socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2]))).close()
        asyncio.run(main(host))
        assert over.wait(60)
