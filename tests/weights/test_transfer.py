"""Transfers that are resumed, retried or refused, from a server that misbehaves by script."""

import contextlib
import hashlib
import io
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import ChecksumError, DownloadError
from numpyclip.weights import download, transfer, web_request
from tests.weights.downloads import (
    BODY,
    HALF,
    SHA256,
    Terminal,
    dead_port,
    fail,
    get,
    left_in,
    model_at,
    obtain,
)
from tests.weights.scripted_server import (
    Handler,
    Move,
    answer,
    babble,
    drop_after,
    endless,
    gzipped,
    hang_up,
    proper,
    serving,
    silent,
    stall_after,
    whole,
)

# Going on


def test_part_is_continued(tmp_path: Path) -> None:
    assert get(tmp_path, part=BODY[:HALF]).ranges == [f"bytes={HALF}-"]


def test_complete_part_needs_no_request(tmp_path: Path) -> None:
    assert get(tmp_path, part=BODY).ranges == []


def test_range_with_unknown_total_is_accepted(tmp_path: Path) -> None:
    told = f"bytes {HALF}-{len(BODY) - 1}/*"
    get(tmp_path, answer(206, BODY[HALF:], Content_Range=told), part=BODY[:HALF])


def test_range_shorter_than_asked_is_continued(tmp_path: Path) -> None:
    told = f"bytes {HALF}-{HALF + 999}/{len(BODY)}"
    script = get(tmp_path, answer(206, BODY[HALF : HALF + 1000], Content_Range=told), proper, part=BODY[:HALF])
    assert script.ranges == [f"bytes={HALF}-", f"bytes={HALF + 1000}-"]


def test_server_that_ignores_ranges_starts_from_zero(tmp_path: Path) -> None:
    assert get(tmp_path, whole, part=BODY[:HALF]).ranges == [f"bytes={HALF}-"]


@pytest.mark.parametrize("told", ["bytes 0-199999/200000", "bytes 7", "", "bytes 100000-5/200000"])
def test_wrong_content_range_starts_from_zero(tmp_path: Path, told: str) -> None:
    script = get(tmp_path, answer(206, BODY, Content_Range=told), proper, part=BODY[:HALF])
    assert script.ranges == [f"bytes={HALF}-", None]


def test_wrong_content_range_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TRIES", 1)
    wrong = answer(206, BODY, Content_Range="bytes 0-199999/200000")
    reason, _ = fail(tmp_path, wrong, part=BODY[:HALF])
    assert f"Content-Range is 'bytes 0-199999/200000'; expected 'bytes {HALF}-'" in reason


def test_partial_answer_that_nobody_asked_for_is_refused(tmp_path: Path) -> None:
    reason, _ = fail(tmp_path, answer(206, BODY, Content_Range="bytes 0-199999/200000"))
    assert "HTTP 206" in reason


def test_part_that_is_too_long_starts_from_zero(tmp_path: Path) -> None:
    assert get(tmp_path, part=BODY + b"more").ranges == [f"bytes={len(BODY) + 4}-", None]


def test_part_of_something_else_is_found_out_and_fetched_anew(tmp_path: Path) -> None:
    assert get(tmp_path, part=b"x" * HALF).ranges == [f"bytes={HALF}-", None]


def test_part_of_something_else_starts_over_only_once(tmp_path: Path) -> None:
    with serving(b"y" + BODY[1:]) as script, pytest.raises(ChecksumError):
        (tmp_path / "toy.pt.part").write_bytes(b"x" * HALF)
        obtain(model_at(script), tmp_path)
    assert script.ranges == [f"bytes={HALF}-", None]
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize("reset", [False, True])
def test_dropped_connections_are_resumed(tmp_path: Path, pauses: list[float], reset: bool) -> None:
    drops = [drop_after(40_000, reset=reset)] * 4
    script = get(tmp_path, *drops, proper)
    assert len(script.ranges) == 5
    if not reset:  # a reset may destroy what was sent before it
        assert script.ranges == [None, *(f"bytes={n}-" for n in (40_000, 80_000, 120_000, 160_000))]
    assert pauses == [1.0, 2.0, 4.0, 8.0]  # growing


def test_progress_earns_further_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MIN_PROGRESS", 1000)
    assert len(get(tmp_path, *[drop_after(10_000)] * 15, proper).ranges) == 16


def test_tries_without_progress_come_to_an_end_and_the_part_is_kept(tmp_path: Path, pauses: list[float]) -> None:
    reason, script = fail(tmp_path, drop_after(HALF), drop_after(0))
    assert len(script.ranges) == download.TRIES
    assert f"dropped: {HALF:,} of {len(BODY):,} bytes" in reason
    assert f"{HALF:,} bytes are kept" in reason
    assert (tmp_path / "toy.pt.part").read_bytes() == BODY[:HALF]
    get(tmp_path)


def test_starting_over_again_and_again_is_no_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MIN_PROGRESS", 1000)

    def cheat(handler: Handler) -> None:
        answer(416)(handler) if "Range" in handler.headers else drop_after(HALF)(handler)

    _, script = fail(tmp_path, cheat)
    assert len(script.ranges) == download.TRIES + 1


@pytest.mark.parametrize("move", [stall_after(HALF), stall_after(0)])
def test_stalled_connection_is_given_up_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: Move
) -> None:
    timeout = web_request.TIMEOUT
    monkeypatch.setattr(web_request, "TIMEOUT", 0.2)

    def patient(handler: Handler) -> None:
        monkeypatch.setattr(web_request, "TIMEOUT", timeout)
        proper(handler)

    assert len(get(tmp_path, move, patient).ranges) == 2


def test_a_server_that_never_answers_gets_no_second_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_request, "TIMEOUT", 0.2)
    message, script = fail(tmp_path, silent)
    assert "no answer for 0.2 seconds" in message
    assert len(script.ranges) <= 1


def test_a_person_at_a_terminal_sees_where_it_comes_from_and_what_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    get(tmp_path, drop_after(HALF), proper)
    assert "toy.pt: downloading http://127.0.0.1" in terminal.getvalue()
    assert "toy.pt: dropped: " in terminal.getvalue()


def test_stall_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_request, "TIMEOUT", 0.5)
    monkeypatch.setattr(download, "TRIES", 1)
    assert "stalled: no byte for 0.5 seconds" in fail(tmp_path, stall_after(5))[0]


@pytest.mark.parametrize("move", [hang_up, babble])
def test_answer_that_is_no_http_is_tried_again(tmp_path: Path, move: Move) -> None:
    get(tmp_path, move, proper)


def test_truncated_chunks_are_tried_again(tmp_path: Path) -> None:
    def cut(handler: Handler) -> None:
        handler.head(200, Transfer_Encoding="chunked")
        handler.wfile.write(b"ffff\r\n" + BODY[:500])

    assert get(tmp_path, cut, proper).ranges == [None, "bytes=500-"]


def test_interrupt_keeps_the_part_and_goes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = transfer._read

    def interrupted(answer: Any, most: int) -> bytes:
        if (tmp_path / "toy.pt.part").stat().st_size:
            raise KeyboardInterrupt
        return read(answer, most)

    monkeypatch.setattr(transfer, "_read", interrupted)
    with serving(BODY) as script, pytest.raises(KeyboardInterrupt):
        obtain(model_at(script), tmp_path)
    monkeypatch.undo()
    assert left_in(tmp_path) == {"toy.pt.part"}
    got = (tmp_path / "toy.pt.part").read_bytes()
    assert got and BODY.startswith(got)


# Refusals


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_status_of_failure_goes_to_the_next_address_at_once(tmp_path: Path, status: int, pauses: list[float]) -> None:
    with serving(BODY, answer(status)) as bad, serving(BODY) as good:
        obtain(model_at(bad, good), tmp_path)
    assert (len(bad.asked), len(good.asked), pauses) == (1, 1, [])


@pytest.mark.parametrize(
    ("headers", "waits"),
    [({}, [1.0, 2.0]), ({"Retry_After": "5"}, [5.0] * 2), ({"RateLimit": '"api";r=0;t=12'}, [12.0] * 2)],
)
def test_a_busy_server_is_waited_for_before_the_next_address(
    tmp_path: Path, pauses: list[float], headers: dict[str, Any], waits: list[float]
) -> None:
    with serving(BODY, answer(429, **headers)) as bad, serving(BODY) as good:
        obtain(model_at(bad, good), tmp_path)
    assert (len(bad.asked), len(good.asked), pauses) == (3, 1, waits)


def test_second_address_continues_what_the_first_began(tmp_path: Path) -> None:
    with serving(BODY, drop_after(HALF), answer(500)) as bad, serving(BODY) as good:
        obtain(model_at(bad, good), tmp_path)
    assert good.ranges == [f"bytes={HALF}-"]


def test_second_address_mends_what_the_first_spoiled(tmp_path: Path) -> None:
    with serving(bytes(len(BODY)), drop_after(HALF), answer(500)) as bad, serving(BODY) as good:
        obtain(model_at(bad, good), tmp_path)
    assert good.ranges == [f"bytes={HALF}-", None]


def test_failure_lists_each_address_with_its_reason_and_three_ways_out(tmp_path: Path) -> None:
    port = dead_port()
    with (
        serving(BODY, answer(404)) as first,
        serving(BODY, answer(503)) as second,
        pytest.raises(DownloadError) as caught,
    ):
        obtain(model_at(first, second, f"http://127.0.0.1:{port}/toy.pt"), tmp_path)
    told = str(caught.value)
    lines = told.splitlines()
    assert lines[0] == "Toy/1: could not be downloaded."
    assert lines[1] == f"{first.url}/toy.pt: HTTP 404, Not Found."
    assert lines[2] == f"{second.url}/toy.pt: HTTP 503, Service Unavailable."
    assert lines[3].startswith(f"http://127.0.0.1:{port}/toy.pt: could not connect")
    assert lines[4] == "Try again later."
    assert f"from {second.url}/toy.pt" in lines[5]  # not from the first, which does not have it
    for way in ("NUMPYCLIP_MIRROR", SHA256, str(tmp_path), "'tiny'"):
        assert way in told
    assert left_in(tmp_path) == set()


def test_wrong_file_is_never_left_behind(tmp_path: Path) -> None:
    with serving(b"x" + BODY[1:]) as script, pytest.raises(ChecksumError) as caught:
        obtain(model_at(script), tmp_path)
    assert SHA256 in str(caught.value)
    assert hashlib.sha256(b"x" + BODY[1:]).hexdigest() in str(caught.value)
    assert left_in(tmp_path) == set()
    assert script.ranges == [None]  # from zero in one go: the same again would be no better


def test_web_page_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    reason, _ = fail(tmp_path, answer(200, b"\n <!doctype html><title>Please log in</title>"))
    assert "looks like a web page" in reason


def test_compressed_answer_is_refused_by_name(tmp_path: Path) -> None:
    assert "sent as gzip" in fail(tmp_path, gzipped)[0]


def test_more_than_announced_is_not_read(tmp_path: Path) -> None:
    get(tmp_path, answer(200, BODY + b"more", Content_Length=len(BODY)))


def test_announcement_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "LIMIT", len(BODY) - 1)
    assert "announced 200,000 bytes; expected at most 199,999" in fail(tmp_path, proper)[0]


def test_endless_answer_is_cut_and_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "LIMIT", 300_000)
    assert "sent more than 300,000 bytes" in fail(tmp_path, endless)[0]
    assert left_in(tmp_path) == set()


def test_redirect_with_an_endless_page_is_followed_without_reading_it(tmp_path: Path) -> None:
    def move(handler: Handler) -> None:
        handler.head(302, Location="/there")
        with contextlib.suppress(OSError):
            while not handler.script.ending.is_set():
                handler.wfile.write(bytes(1 << 16))

    get(tmp_path, move, proper)


def test_redirect_loop_is_named(tmp_path: Path) -> None:
    reason, script = fail(tmp_path, answer(302, Location="/toy.pt"))
    assert "infinite loop" in reason
    assert len(script.asked) < 12


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x/"])
def test_redirect_to_another_protocol_is_refused(tmp_path: Path, to: str) -> None:
    reason, _ = fail(tmp_path, answer(302, Location=to))
    assert "HTTP 302" in reason and to in reason


def test_redirect_from_https_to_http_is_refused() -> None:
    request = urllib.request.Request("https://example.org/a")
    with pytest.raises(urllib.error.HTTPError, match="not secure") as caught:
        web_request._Redirects().redirect_request(
            request, io.BytesIO(), 302, "Found", Message(), "http://example.org/a"
        )
    caught.value.close()


@pytest.mark.parametrize("url", ["http://a..b/x", "http://[::1/x", "nothing", "http://h:port/x"])
def test_address_that_is_none_is_a_reason_and_not_a_crash(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match=r"not a usable URL|could not connect"):
        obtain(model_at(url), tmp_path)


def test_tls_that_is_none_is_named(tmp_path: Path) -> None:
    with serving(BODY) as script, pytest.raises(DownloadError, match=r"could not connect: .*(SSL|TLS)"):
        obtain(model_at(script.url.replace("http:", "https:") + "/toy.pt"), tmp_path)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_certificate_that_is_not_trusted_is_named(tmp_path: Path) -> None:
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    subprocess.run(["openssl", *made, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
                pass

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(DownloadError, match=r"certificate is not trusted .*SSL_CERT_FILE"):
            obtain(model_at(f"https://127.0.0.1:{listener.getsockname()[1]}/toy.pt"), tmp_path / "to")
        thread.join()
