"""The access log: who asked for what, what came of it, and nothing private."""

import logging
import re
from collections.abc import Iterator
from logging.handlers import QueueHandler
from queue import SimpleQueue
from typing import Any, cast

import pytest

from tests.server.conftest import Client, Png, Serve


class Log(QueueHandler):
    """Waits for lines of the access log, which are written when the client has its answer already."""

    def take(self, count: int) -> list[dict[str, Any]]:
        return [vars(record)["fields"] for record in self.records(count)]

    def records(self, count: int) -> list[logging.LogRecord]:
        return [cast(SimpleQueue[logging.LogRecord], self.queue).get(timeout=60) for _ in range(count)]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    caplog.set_level(logging.DEBUG, "numpyclip")
    handler, logger = Log(SimpleQueue()), logging.getLogger("numpyclip.access")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_a_request_is_a_line(serve: Serve, log: Log) -> None:
    client = serve(token="sesame")
    answer = client.post("/v1/embeddings", {"input": ["a house", "a bird"]}, Authorization="Bearer sesame")
    (found,) = log.take(1)
    assert (found["client"], found["method"], found["path"]) == ("127.0.0.1", "POST", "/v1/embeddings")
    assert (found["status"], found["bytes"], found["token"]) == (200, len(answer.body), "token")
    assert 0 <= found["queue_seconds"] + found["compute_seconds"] <= found["seconds"]
    assert found["compute_seconds"] > 0
    assert answer.headers["X-Request-ID"] == found["request_id"]
    assert re.fullmatch("[0-9a-f]{16}", found["request_id"])


def test_the_body_that_head_leaves_out_is_not_counted(client: Client, log: Log) -> None:
    assert client("HEAD", "/metrics").body == b""
    assert log.take(1)[0]["bytes"] == 0


def test_nothing_private_is_logged(serve: Serve, log: Log, caplog: pytest.LogCaptureFixture, png: Png) -> None:
    client = serve(token="sesame")
    bearer = {"Authorization": "Bearer sesame"}
    cookie = client.post("/login", {"token": "sesame"}).headers["Set-Cookie"].partition(";")[0]
    client.get("/search?q=private+words", **bearer)
    client.get("/search?q=private+words", Cookie=cookie)
    client.get("/search?q=private+words", Authorization="Bearer private")
    client.post("/v1/embeddings", {"input": "private words", "model": "private"}, **bearer)
    client.form("/search", [("image", png("bird")), ("query", "private")], **bearer, User_Agent="private")
    assert sorted(str(found["token"]) for found in log.take(6)) == ["None"] * 2 + ["token"] * 4
    ours = [record for record in caplog.records if "numpyclip" in record.name]
    logged = "".join(f"{vars(record)} {record.getMessage()}" for record in ours)
    assert not any(word in logged for word in ("private", "sesame", cookie.partition("=")[2]))


@pytest.mark.parametrize("sent", ["a-1.b:C_9", "x" * 64])
def test_the_clients_id_is_kept(client: Client, log: Log, sent: str) -> None:
    assert client.get("/healthz", X_Request_ID=sent).headers["X-Request-ID"] == sent
    assert log.take(1)[0]["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a\x1b[2J", '"', "ä"])
def test_an_id_that_could_forge_a_line_is_replaced(client: Client, log: Log, sent: str) -> None:
    assert re.fullmatch("[0-9a-f]{16}", client.get("/healthz", X_Request_ID=sent).headers["X-Request-ID"])
    assert log.take(1)[0]["request_id"] != sent


def test_paths_forge_no_lines_and_have_an_end(client: Client, log: Log) -> None:
    client.get("/a%0d%0aforged%1b%5b2J%C3%A4%20b?q=1")
    (record,) = log.records(1)
    assert vars(record)["fields"]["path"] == "/a%0D%0Aforged%1B%5B2J%C3%A4%20b"
    assert record.getMessage().isprintable()
    client.get("/" + "x" * 9000)
    assert len(log.take(1)[0]["path"]) == 200


def test_rejected_requests_and_those_of_spoofed_addresses(serve: Serve, log: Log) -> None:
    client = serve(token="sesame", cors_origins=("https://good.example",))
    client.get("/index", X_Forwarded_For="203.0.113.9")
    client.get("/index", X_Forwarded_For="\x1bforged")
    client("OPTIONS", "/index", None, Origin="https://good.example", Access_Control_Request_Method="GET")
    found = {(each["client"], each["status"]) for each in log.take(3)}
    assert found == {("203.0.113.9", 401), ("-", 401), ("127.0.0.1", 200)}


def test_an_unexpected_error_is_one_line_with_the_id(
    serve: Serve, log: Log, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("private words")

    monkeypatch.setattr("numpyclip.server.service.Service.index", fail)
    answer = serve().get("/search?q=a", X_Request_ID="mine-1")
    assert (answer.status, answer.headers["X-Request-ID"]) == (500, "mine-1")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "request mine-1" in answer.message and "private" not in answer.message
    assert log.take(1)[0]["status"] == 500
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in errors] == ["numpyclip.server"]
    assert re.fullmatch(r"unexpected error: ZeroDivisionError at .*test_access_log.py:\d+", errors[0].getMessage())


def test_each_path_is_counted_as_its_own(serve: Serve, log: Log) -> None:
    client = serve()
    for path in ("/health", "/healthz", "/.well-known/live", "/.well-known/ready", "/thumbnails/1", "/nowhere"):
        client.get(path)
    client.post("/healthz", {})
    log.take(7)
    text = client.get("/metrics").body.decode()
    for expected in ("/health 200", "/healthz 200", "/healthz 405", "/.well-known/ready 204", "/thumbnails/{id} 200"):
        path, status = expected.split()
        assert f'numpyclip_requests_total{{route="{path}",status="{status}"}} 1.0' in text, expected


def test_a_failed_request_says_why(serve: Serve, log: Log) -> None:
    client = serve(token="sesame")
    bearer = {"Authorization": "Bearer sesame"}
    client.get("/search")
    client.post("/v1/embeddings", {"input": "private", "encoding_format": "a-secret"}, **bearer)
    client.post("/v1/embeddings", {"input": ["private words " * 99]}, **bearer)
    client.post("/v1/embeddings", {"input": "\nprivate", "dimensions": "\nprivate"}, **bearer)
    client.post("/v1/embeddings", ["private"], **bearer)
    client.get("/nowhere", **bearer)
    client.get("/healthz")
    records = log.records(7)
    reasons = [vars(record)["fields"].get("reason") for record in records]
    assert reasons[0] == "a token is needed: send it as `Authorization: Bearer TOKEN`."
    assert reasons[1] == "encoding_format is '…-…'; expected float or base64."
    assert "tokens" in reasons[2]
    assert reasons[3].startswith("dimensions is ")
    assert "expected a JSON object" in reasons[4]
    assert (reasons[5], reasons[6]) == ("there is no such path; GET /docs lists all.", None)
    assert not any(word in str([*map(vars, records)]) for word in ("private", "secret", "sesame"))
    assert f"reason={reasons[1]!r}" in records[1].getMessage()


def test_probes_are_logged_at_debug_unless_they_fail(serve: Serve, log: Log) -> None:
    client = serve(token="sesame")
    client.get("/healthz")
    client.get("/metrics")
    client.get("/metrics", Authorization="Bearer sesame")
    assert [record.levelname for record in log.records(3)] == ["DEBUG", "INFO", "DEBUG"]
