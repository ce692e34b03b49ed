"""Who is answered, and how much of whom is listened to."""

import asyncio
import gc
import json
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from numpyclip.errors import InputError
from numpyclip.server import Settings
from numpyclip.server.access import request_limits
from numpyclip.server.access.middleware import AccessMiddleware
from numpyclip.server.access.request_limits import RequestBody, RequestsInFlight
from numpyclip.server.monitoring.access_log import AccessLogMiddleware
from numpyclip.server.monitoring.prometheus import Metrics
from tests.server.conftest import Client, Png, Serve


def talk(client: Client, *pieces: bytes) -> bytes:
    """Send bytes as they are; read until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
        return answer


def test_large_requests_are_refused(serve: Serve) -> None:
    client = serve(max_bytes=10_000)
    assert client.post("/v1/embeddings", {"input": "a" * 9_000, "truncate": True}).status == 200
    answer = client.post("/v1/embeddings", {"input": "a" * 10_000})
    assert (answer.status, "expected at most 10000" in answer.message) == (413, True)
    chunked = b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer_bytes = talk(client, chunked, *[b"1000\r\n" + b" " * 4096 + b"\r\n"] * 3)
    assert answer_bytes.startswith(b"HTTP/1.1 413 ")


def test_all_requests_together_hold_only_so_much(serve: Serve) -> None:
    client = serve(max_bytes=10_000, max_total_bytes=5_000)
    answer = client.post("/v1/embeddings", {"input": "a" * 6_000})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    for _ in range(3):  # what is answered is held no more
        assert client.post("/v1/embeddings", {"input": "a" * 4_000, "truncate": True}).status == 200


def test_slow_requests_are_given_up(serve: Serve) -> None:
    client = serve(timeout=0.2)
    head = b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
    answer = talk(client, head, b'{"input": ')
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"] == "the request did not arrive in time."


def test_uploads_that_break_off_do_no_harm(client: Client, png: Png) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", client.port)) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n")
            connection.sendall(b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")
    assert client.get("/healthz").status == 200
    assert client.form("/search", [("image", png("bird"))]).status == 200


def test_answers_forbid_what_nobody_needs(client: Client) -> None:
    page = client.get("/", Accept="text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for answer in (page, client.get("/search?q=a"), client.get("/nowhere"), client.get("/thumbnails/1")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_only_the_methods_that_are_meant(client: Client, method: str) -> None:
    assert client(method, "/healthz").status == 405


def test_a_probe_is_answered_however_many_requests_there_are(serve: Serve) -> None:
    client = serve(max_requests=0)
    assert client.get("/index").status == 503
    assert client.post("/v1/embeddings", {"input": "a"}).status == 503
    assert client.get("/healthz").status == client.get("/ping").status == 200


def test_bodies_that_do_not_arrive_hold_up_nobody(serve: Serve) -> None:
    client = serve(max_requests=1)
    head = b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
    slow = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(20)]
    try:
        for connection in slow:
            connection.sendall(head)
        assert client.get("/healthz").status == 200
        assert client.post("/v1/embeddings", {"input": "a"}).status == 200
    finally:
        for connection in slow:
            connection.close()


def test_bodies_that_stall_make_room(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    monkeypatch.setattr(request_limits, "_PATIENCE", 0.0)
    client = serve(max_bytes=10_000, max_total_bytes=20_000)
    head = b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n"
    stalled = [socket.create_connection(("127.0.0.1", client.port), timeout=60) for _ in range(2)]
    try:
        for connection in stalled:
            connection.sendall(head + b" " * 9_990)
            assert client.get("/healthz").status == 200  # by now this much was read
        for _ in range(3):
            assert client.post("/v1/embeddings", {"input": "a" * 8_000, "truncate": True}).status == 200
        assert stalled[0].recv(12) == b"HTTP/1.1 408"
        stalled[1].sendall(b'{"input":1')  # one was enough
        assert stalled[1].recv(12) == b"HTTP/1.1 400"
    finally:
        for connection in stalled:
            connection.close()


@pytest.mark.parametrize("path", ["/search?q=a", "/thumbnails/1", "/index", "/metrics", "/healthz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_bodies_where_nobody_reads_them_are_refused(client: Client, method: str, path: str) -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\n".encode()
    for kind in (b"Content-Length: 1\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
        assert talk(client, head + kind).startswith(b"HTTP/1.1 400 ")  # though it never arrives


def asked(settings: Settings, app: Any, *messages: Message) -> list[Message]:
    """Ask the middleware before an application; the client sends these messages, and then nothing more."""
    sent: list[Message] = []

    async def main() -> None:
        left = list(messages)

        async def receive() -> Message:
            if not left:
                await asyncio.get_running_loop().create_future()
            return left.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"1")]}
        access = AccessMiddleware(app, settings)
        await AccessLogMiddleware(access, Metrics(), varies=False)(scope, receive, send)

    asyncio.run(main())
    return sent


@pytest.mark.parametrize(
    ("messages", "statuses"),
    [
        ([{"type": "http.request", "body": b"a"}], [503]),
        ([{"type": "http.request", "body": b"a"}, {"type": "http.disconnect"}], []),
    ],
)
def test_work_ends_with_its_request(messages: list[Message], statuses: list[int]) -> None:
    ended = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["body"] == b"a"
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    sent = asked(Settings(timeout=0.05), app, *messages)
    assert [message["status"] for message in sent if message["type"] == "http.response.start"] == statuses
    assert ended == [True]


def test_errors_of_work_that_is_ended_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            raise ValueError("at the end") from None

    assert asked(Settings(timeout=0.05), app, {"type": "http.request", "body": b"a"})[0]["status"] == 503
    gc.collect()
    assert not caplog.records


def test_a_body_of_two_lengths_ends_the_connection(serve: Serve) -> None:
    client = serve()
    hidden = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for lengths in (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % (5 + len(hidden)),
    ):
        request = b"POST /search HTTP/1.1\r\nHost: localhost\r\n" + lengths + b"\r\n0\r\n\r\n" + hidden
        answer = talk(client, request)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("prefix", ["/photos", "/a/b.c"])
def test_a_proxy_may_show_the_server_below_a_path(serve: Serve, prefix: str) -> None:
    client = serve(url_prefix=prefix, token="sesame")
    for path in ("/healthz", f"{prefix}/healthz", f"{prefix}/"):
        assert client.get(path).status == 200  # whether the proxy takes it off or not
    answer = client.get(prefix)
    assert (answer.status, answer.headers["Location"]) == (308, f"{prefix}/")
    for path in (f"{prefix}/index", f"{prefix}//login", f"{prefix}{prefix}/healthz", f"{prefix}x/healthz", "/index"):
        assert client.get(path).status == 401, path
    assert f"Path={prefix}/;" in client.post(f"{prefix}/login", {"token": "sesame"}).headers["Set-Cookie"]


@pytest.mark.parametrize(
    "prefix", ["photos", "/", "//evil.com", "/a/", "/a//b", "/..", "/a/./b", "/a?b", "/a\r\nb", "/a b", "/a\n"]
)
def test_what_is_no_prefix(prefix: str) -> None:
    with pytest.raises(InputError, match="expected a path such as '/photos'"):
        Settings(url_prefix=prefix)


def test_a_large_response_has_time_as_long_as_it_is_received(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    async def never() -> Message:
        message: Message = await asyncio.get_running_loop().create_future()
        return message

    async def main() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        body = RequestBody(RequestsInFlight(Settings(timeout=8.0)), scope, never)

        async def wait(waiting: Any, timeout: float) -> tuple[set[Any], set[Any]]:
            clock.append(clock[-1] + timeout)
            body.sent += 1000 * (len(clock) < 5)
            return set(), set(waiting)

        monkeypatch.setattr(request_limits, "asyncio", SimpleNamespace(**{**vars(asyncio), "wait": wait}))
        assert not await body.end()

    monkeypatch.setattr(request_limits, "time", SimpleNamespace(monotonic=lambda: clock[-1]))
    monkeypatch.setattr(request_limits, "_MIN_RATE", 250)
    asyncio.run(main())
    assert clock[1:] == [8, 12, 16, 20]


def test_a_response_that_is_not_received_is_ended() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await asyncio.Event().wait()

    assert asked(Settings(timeout=0.01), app, {"type": "http.request", "body": b"a"})[-1]["more_body"]


def test_a_search_below_a_prefix_stays_one(serve: Serve) -> None:
    answer = serve(url_prefix="/photos").get("/photos?q=a%20bird&n=3")
    assert (answer.status, answer.headers["Location"]) == (308, "/photos/?q=a%20bird&n=3")


def test_the_page_says_to_its_own_server_where_a_form_is_from(client: Client) -> None:
    assert client.get("/", Accept="text/html").headers["Referrer-Policy"] == "same-origin"  # else `Origin: null`
    assert client.post("/download", {"ids": [1]}, Origin="null").status == 403


@pytest.mark.parametrize("path", ["/search?q=a", "/timeline", "/places", "/library", "/index"])
def test_what_is_asked_for_its_headers_has_no_body(client: Client, path: str) -> None:
    answer = client("HEAD", path)
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"", "application/json")
