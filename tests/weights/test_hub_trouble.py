"""A hub that is busy, refuses, stalls or hangs up."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import ChecksumError, DownloadError, ModelNotFoundError
from numpyclip.weights import download, web_request
from tests.weights.downloads import child_environment
from tests.weights.hub_server import Handler, Hub
from tests.weights.hub_trouble import HALF, NAME, PLACES, SHA256, WEIGHTS, fails, get, hang_up, left, on

# Statuses


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(hub: Hub, pauses: list[float], status: int, place: str) -> None:
    refusals = [1, 2]
    hub.trouble = on(place, lambda handler: bool(refusals) and bool(refusals.pop()) and handler.answer(status))
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS
    assert pauses == [1.0, 2.0]


def test_a_busy_server_is_given_the_time_that_it_asks_for(hub: Hub, pauses: list[float]) -> None:
    refusals = ["7", "Wed, 21 Oct 2015 07:28:00 GMT"]
    hub.trouble = on("/api/", lambda handler: bool(refusals) and handler.answer(429, Retry_After=refusals.pop(0)))
    get()
    assert pauses == [7.0, 1.0]


@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_wants_hours_is_not_waited_for(hub: Hub, tmp_path: Path, pauses: list[float], place: str) -> None:
    busy = on(place, lambda handler: handler.answer(429, Retry_After=7200))
    fails(tmp_path, hub, busy, "HTTP 429, Too Many Requests.*; it asks to wait for 7200 seconds")
    assert pauses == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("status", "kind"), [(404, ModelNotFoundError), (403, ModelNotFoundError), (410, DownloadError)]
)
def test_a_refusal_is_final(
    hub: Hub, tmp_path: Path, pauses: list[float], status: int, kind: type[Exception], place: str
) -> None:
    told = f"HTTP {status}.*by localhost" if place == "elsewhere" else f"HTTP {status}"
    kind = DownloadError if place == "elsewhere" else kind  # for it is not the hub that has refused
    fails(tmp_path, hub, on(place, lambda handler: handler.refuse(status)), told, kind)
    assert pauses == []


# Answers that do not come


@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_never_answers_is_given_up(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(web_request, "TIMEOUT", 0.2)
    waiting = on(place, lambda handler: hub.ending.wait(30) and hang_up(handler))
    fails(tmp_path, hub, waiting, "no answer for 0.2 seconds")


def test_headers_that_come_byte_by_byte_are_given_up(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_request, "TIMEOUT", 0.3)

    def drip(handler: Handler) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not hub.ending.wait(0.05):
            try:
                handler.wfile.write(b"x")
            except OSError:
                break
        return hang_up(handler)

    fails(tmp_path, hub, on("/api/", drip), "no answer for 0.3 seconds")


def test_a_body_that_stalls_again_and_again_is_given_up_and_the_part_continued(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeout = web_request.TIMEOUT
    monkeypatch.setattr(web_request, "TIMEOUT", 0.5)

    def stall(handler: Handler) -> bool:
        hub.ranges.append(handler.headers.get("Range"))
        if "Range" in handler.headers:
            told = f"bytes {HALF}-{len(WEIGHTS) - 1}/{len(WEIGHTS)}"
            handler.answer(206, Content_Range=told, Content_Length=HALF)
        else:
            handler.answer(200, WEIGHTS[:HALF], Content_Length=len(WEIGHTS))
        hub.ending.wait(30)
        return hang_up(handler)

    hub.trouble = on("elsewhere", stall)
    with pytest.raises(DownloadError, match=r"stalled: no byte for 0.5 seconds.*kept, to be continued"):
        get()
    assert f"{SHA256}.incomplete" in left(tmp_path)
    assert len(hub.ranges) < download.TRIES  # a stall costs more patience than a broken connection
    hub.trouble = lambda handler: False
    monkeypatch.setattr(web_request, "TIMEOUT", timeout)
    hub.ranges.clear()
    get()
    assert hub.ranges == [f"bytes={HALF}-"]


def test_a_body_that_comes_byte_by_byte_is_given_up(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_request, "TIMEOUT", 0.5)
    monkeypatch.setattr(download, "TRIES", 1)

    def drip(handler: Handler) -> bool:
        handler.answer(200, Content_Length=len(WEIGHTS))
        while not hub.ending.wait(0.02):
            try:
                handler.wfile.write(b"x")
            except OSError:
                break
        return hang_up(handler)

    hub.trouble = on("elsewhere", drip)
    with pytest.raises(DownloadError, match=r"stalled: \d+ bytes in "):
        get()


@pytest.mark.parametrize("end", [b"", b"1\r\nx\r\n", b"0\r\n"])
def test_chunks_and_trailers_that_never_end_are_given_up(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    monkeypatch.setattr(web_request, "TIMEOUT", 0.2)
    monkeypatch.setattr(download, "TRIES", 1)

    def drip(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(end)
        while not hub.ending.wait(0.01):
            try:
                handler.wfile.write(b"X: y\r\n" if end.startswith(b"0") else b"0")
            except OSError:
                break
        return hang_up(handler)

    for place in ("/api/", "elsewhere"):
        fails(tmp_path, hub, on(place, drip), "stalled|no answer")  # the latter where all is slow
        shutil.rmtree(tmp_path / "home")


@pytest.mark.parametrize("place", ["/api/", "/resolve/"])
def test_a_question_whose_connection_breaks_is_asked_again(hub: Hub, place: str) -> None:
    drops = [True]
    hub.trouble = lambda handler: place in handler.path and bool(drops) and drops.pop() and hang_up(handler)
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_hangs_up_is_an_error(hub: Hub, tmp_path: Path, place: str) -> None:
    fails(tmp_path, hub, on(place, hang_up), "no answer.*Try again, or")  # and nothing is said to be kept


@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_is_none_of_the_web_is_said(hub: Hub, tmp_path: Path, place: str) -> None:
    noise = on(place, lambda handler: bool(handler.wfile.write(b"SSH-2.0-x\r\n\r\n")) and hang_up(handler))
    fails(tmp_path, hub, noise, "its answer is not one of a web server")


def test_a_part_that_is_complete_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    blobs = tmp_path / "home/hub/models--someone--model/blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{SHA256}.incomplete").write_bytes(WEIGHTS)
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS
    assert "model.safetensors" not in hub.fetched


@pytest.mark.parametrize("part", [WEIGHTS + b"more", b"x" * HALF, b"x" * len(WEIGHTS)])
def test_a_part_of_something_else_is_fetched_anew(hub: Hub, tmp_path: Path, part: bytes) -> None:
    blobs = tmp_path / "home/hub/models--someone--model/blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{SHA256}.incomplete").write_bytes(part)
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS


def test_a_web_page_does_not_destroy_a_part(hub: Hub, tmp_path: Path) -> None:
    blobs = tmp_path / "home/hub/models--someone--model/blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{SHA256}.incomplete").write_bytes(WEIGHTS[:HALF])
    page = on("elsewhere", lambda handler: handler.answer(200, b"<html>"))
    fails(tmp_path, hub, page, "announced 6 bytes", ChecksumError)
    assert hub.ranges == [f"bytes={HALF}-"]


def test_a_connection_that_ends_without_a_length_is_continued(hub: Hub) -> None:
    def until_closed(handler: Handler) -> bool:
        hub.ranges.append(handler.headers.get("Range"))
        if len(hub.ranges) > 1:
            hub.ranges.pop()
            return False
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(WEIGHTS[:HALF])
        return hang_up(handler)

    hub.trouble = on("elsewhere", until_closed)
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.ranges == [None, f"bytes={HALF}-"]


def test_ctrl_c_keeps_the_part_and_the_next_run_continues_it(hub: Hub, tmp_path: Path) -> None:
    def half(handler: Handler) -> bool:
        handler.answer(200, WEIGHTS[:HALF], Content_Length=len(WEIGHTS))
        hub.ending.wait(30)
        return hang_up(handler)

    hub.trouble = on("elsewhere", half)
    code = f"""
from numpyclip.weights.partial_file import Part
append = Part.append
def report(part, data):
    append(part, data)
    print(part.size, flush=True)
Part.append = report
from numpyclip.families.repository_files import wanted
from numpyclip.weights.hub import obtain
obtain({NAME!r}, wanted)
"""
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], env=child_environment(), **options) as process:
        assert process.stdout is not None
        assert any(line.strip() == str(HALF) for line in process.stdout)
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert f"{SHA256}.incomplete" in left(tmp_path)
    hub.trouble = lambda handler: False
    hub.ranges.clear()
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.ranges == [f"bytes={HALF}-"]
