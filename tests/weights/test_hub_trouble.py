"""A hub that misbehaves, lies, stalls, or would like to have a token that is not for it."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from numpyclip.errors import ChecksumError, DownloadError, ModelNotFoundError
from numpyclip.families.repository_files import wanted
from numpyclip.weights import download, hub_client, transfer, web_request
from numpyclip.weights.hub import obtain
from tests.weights.downloads import child_environment
from tests.weights.hub_server import COMMIT, Handler, Hub, Trouble, imported_anew, using

WEIGHTS = os.urandom(200_000)
HALF = len(WEIGHTS) // 2
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
FILES = {"config.json": b'{"model_type": "clip"}', "model.safetensors": WEIGHTS}
NAME = "hf-hub:someone/model"
TOKEN = "hf_secret"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with using(dict(FILES), tmp_path / "home") as hub:
        yield hub


def get(name: str = NAME) -> Path:
    return obtain(name, wanted)


def left(tmp_path: Path) -> list[str]:
    """What was left in the cache: nothing that looks complete."""
    return [path.name for path in (tmp_path / "home").rglob("*") if path.is_file()]


def fails(tmp_path: Path, hub: Hub, trouble: Trouble, match: str, kind: type[Exception] = DownloadError) -> None:
    """Download in vain; then the trouble is over, and all is well."""
    hub.trouble = trouble
    with pytest.raises(kind, match=match):
        get()
    assert not [name for name in left(tmp_path) if name in (SHA256, "model.safetensors", "main")]
    hub.trouble = lambda handler: False
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS


def on(part: str, act: Callable[[Handler], bool], method: str = "GET") -> Trouble:
    return lambda handler: handler.command == method and part in handler.path and act(handler)


def hang_up(handler: Handler) -> bool:
    handler.close_connection = True
    return True


PLACES = ["/api/", "/resolve/", "elsewhere"]

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
    fails(tmp_path, hub, busy, "HTTP 429, Too Many Requests; it asks to wait for 7200 seconds")
    assert pauses == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("status", "kind"), [(404, ModelNotFoundError), (403, ModelNotFoundError), (410, DownloadError)]
)
def test_a_refusal_is_final(
    hub: Hub, tmp_path: Path, pauses: list[float], status: int, kind: type[Exception], place: str
) -> None:
    fails(tmp_path, hub, on(place, lambda handler: handler.refuse(status)), f"HTTP {status}", kind)
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
    fails(tmp_path, hub, on(place, hang_up), "no answer")


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
import sys
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


# Lies


@pytest.mark.parametrize("body", [WEIGHTS[:HALF], WEIGHTS + b"more", b"", b"<html>Please log in</html>"])
def test_another_size_than_the_hub_stated_is_refused(hub: Hub, tmp_path: Path, body: bytes) -> None:
    told = f"announced {len(body):,} bytes; expected {len(WEIGHTS):,}"
    fails(tmp_path, hub, on("elsewhere", lambda handler: handler.answer(200, body)), told, ChecksumError)


def test_a_size_that_is_announced_wrongly_is_refused(hub: Hub, tmp_path: Path) -> None:
    def less(handler: Handler) -> bool:
        handler.close_connection = True
        return handler.answer(200, WEIGHTS[:HALF], Content_Length=len(WEIGHTS))

    fails(tmp_path, hub, on("elsewhere", less), "dropped: 100,000 of 200,000 bytes came")


def test_a_web_page_is_named(hub: Hub, tmp_path: Path) -> None:
    page = b"<html>Please log in</html>"
    answer = on("elsewhere", lambda handler: handler.answer(200, page, Content_Type="text/html; charset=utf-8"))
    fails(tmp_path, hub, answer, "looks like a web page", ChecksumError)


def test_other_bytes_of_the_right_size_are_refused(hub: Hub, tmp_path: Path) -> None:
    other = WEIGHTS[::-1]
    told = rf"with SHA-256 {hashlib.sha256(other).hexdigest()}; expected {SHA256}"
    fails(tmp_path, hub, on("elsewhere", lambda handler: handler.answer(200, other)), told, ChecksumError)


@pytest.mark.parametrize("etag", ['"0123456789012345678901234567890123456789"', 'W/"5f3-abc"', "plain"])
def test_a_small_file_has_an_etag_that_is_no_sha256(hub: Hub, etag: str) -> None:
    facts: dict[str, Any] = {"ETag": etag, "X_Repo_Commit": COMMIT}
    hub.trouble = lambda handler: "config.json" in handler.path and handler.answer(200, FILES["config.json"], **facts)
    assert (get() / "config.json").resolve().name == etag.removeprefix("W/").strip('"')


def test_a_file_without_a_hash_that_changes_meanwhile_is_fetched_anew(hub: Hub) -> None:
    versions = [b"a" * len(WEIGHTS), WEIGHTS]

    def change(handler: Handler) -> bool:
        if "/resolve/" in handler.path and "model" in handler.path:
            facts: dict[str, Any] = {"X_Linked_Etag": '"no-hash"', "X_Linked_Size": len(WEIGHTS)}
            facts["X_Repo_Commit"] = COMMIT
            return handler.answer(302, Location=f"{hub.elsewhere}/model.safetensors", **facts)
        if "elsewhere" not in handler.path:
            return False
        hub.ranges.append(handler.headers.get("Range"))
        if len(hub.ranges) == 1:
            handler.close_connection = True
            return handler.answer(200, versions[0][:HALF], Content_Length=len(WEIGHTS), ETag='"1"')
        if "Range" in handler.headers:
            told = f"bytes {HALF}-{len(WEIGHTS) - 1}/{len(WEIGHTS)}"
            return handler.answer(206, WEIGHTS[HALF:], Content_Range=told, ETag='"2"')
        return handler.answer(200, WEIGHTS, ETag='"2"')

    hub.trouble = change
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.ranges == [None, f"bytes={HALF}-", None]


def test_a_part_without_a_hash_is_not_continued_by_another_process(hub: Hub, tmp_path: Path) -> None:
    facts = {"X_Linked_Etag": '"no-hash"', "X_Linked_Size": len(WEIGHTS), "X_Repo_Commit": COMMIT}
    hub.trouble = lambda handler: "/resolve/" in handler.path and handler.answer(200, WEIGHTS, **facts)
    blobs = tmp_path / "home/hub/models--someone--model/blobs"
    blobs.mkdir(parents=True)
    (blobs / "no-hash.incomplete").write_bytes(b"of last year")
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("etag", ["", '"../../evil"', '"a/b"', '""', '".."', f'"{"a" * 200}"', '"a b"'])
def test_an_etag_that_is_no_name_is_refused(hub: Hub, tmp_path: Path, etag: str) -> None:
    facts: dict[str, Any] = {"ETag": etag, "X_Repo_Commit": COMMIT}
    bad = on("config.json", lambda handler: handler.answer(200, b"{}", **facts), "HEAD")
    fails(tmp_path, hub, bad, "is no hub: .* its ETag")


def test_a_file_of_another_size_than_its_blob_is_fetched_again(hub: Hub) -> None:
    path = get() / "model.safetensors"
    path.resolve().write_bytes(WEIGHTS[:HALF])
    path.unlink()
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS


# Listings


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html>",
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"sha": 1, "siblings": []}',
        b'{"sha": "../../evil", "siblings": []}',
        json.dumps({"sha": COMMIT, "siblings": [1]}).encode(),
        json.dumps({"sha": COMMIT, "siblings": [{"rfilename": 1}]}).encode(),
        json.dumps({"sha": COMMIT, "siblings": {"a": 1}}).encode(),
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_listing_that_is_none_is_refused(hub: Hub, tmp_path: Path, body: bytes) -> None:
    bad = on("/api/", lambda handler: handler.answer(200, body))
    fails(tmp_path, hub, bad, "in place of a list|a list of files whose commit")


@pytest.mark.parametrize(("name", "match"), [("a", "values, far too many"), ("a" * 30, "more than 8,388,608 bytes")])
def test_a_listing_of_far_too_many_names_is_refused(hub: Hub, tmp_path: Path, name: str, match: str) -> None:
    body = b'{"sha":"%b","siblings":[%b]}' % (
        COMMIT.encode(),
        b",".join([b'{"rfilename":"%b"}' % name.encode()] * 400_000),
    )
    fails(tmp_path, hub, on("/api/", lambda handler: handler.answer(200, body)), match)


def test_a_file_that_is_larger_than_the_disk_is_not_begun(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=HALF))
    with pytest.raises(DownloadError, match=r"the disk is full .* 200,000 bytes are needed, 100,000 are free"):
        get()
    assert hub.fetched == ["config.json"]


def test_a_listing_without_end_is_cut(hub: Hub, tmp_path: Path) -> None:
    sent = []

    def endless(handler: Handler) -> bool:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                sent.append(handler.wfile.write(bytes(1 << 20)))
        except OSError:
            return hang_up(handler)

    fails(tmp_path, hub, on("/api/", endless), "more than 8,388,608 bytes")
    assert len(sent) < 40


def test_a_name_that_leads_out_of_the_folder_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.files = {"../../../evil.safetensors": b""}
    with pytest.raises(DownloadError, match=r"lists '\.\./\.\./\.\./evil.safetensors', which is outside its folder"):
        obtain(NAME, list)
    assert hub.fetched == []


def test_a_small_file_that_is_large_is_refused(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_client, "SMALL", 10)
    with pytest.raises(DownloadError, match="has 22 bytes; expected at most 10"):
        get()
    facts = {"X_Repo_Commit": COMMIT, "ETag": '"no-hash"'}

    def without_size(handler: Handler) -> bool:
        handler.send_response(200)
        for name, value in facts.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(b"16\r\n" + FILES["config.json"] + b"\r\n0\r\n\r\n")
        return True

    hub.trouble = lambda handler: "config.json" in handler.path and without_size(handler)
    with pytest.raises(DownloadError, match="sent more than 10 bytes"):
        get()
    monkeypatch.setattr(hub_client, "SMALL", 22)
    assert (get() / "config.json").read_bytes() == FILES["config.json"]


def test_an_end_that_could_be_a_broken_connection_is_refused(hub: Hub, tmp_path: Path) -> None:
    def until_closed(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("X-Repo-Commit", COMMIT)
        handler.send_header("ETag", '"no-hash"')
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(b"{}")
        return hang_up(handler)

    hub.trouble = lambda handler: "config.json" in handler.path and until_closed(handler)
    with pytest.raises(DownloadError, match="neither a size nor a hash"):
        get()


# Redirects and tokens


def test_relative_redirects_are_followed_with_what_the_first_one_states(hub: Hub) -> None:
    def moved(handler: Handler) -> bool:
        path = handler.path
        if "/resolve/" in path and "model.safetensors" in path:
            facts: dict[str, Any] = {
                "X_Linked_Etag": f'"{SHA256}"',
                "X_Linked_Size": len(WEIGHTS),
                "X_Repo_Commit": COMMIT,
            }
            return handler.answer(307, Location="/elsewhere/model.safetensors", **facts)
        return False

    hub.trouble = moved
    assert (get() / "model.safetensors").resolve().name == SHA256


def test_a_repository_that_was_renamed_is_followed(hub: Hub) -> None:
    def renamed(handler: Handler) -> bool:
        if "old/name" not in handler.path:
            return False
        return handler.answer(307, Location=handler.path.replace("old/name", "someone/model"))

    hub.trouble = renamed
    assert (get("hf-hub:old/name") / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("place", PLACES)
def test_redirects_in_circles_end(hub: Hub, tmp_path: Path, place: str) -> None:
    circle = on(place, lambda handler: handler.answer(302, Location=handler.path))
    fails(tmp_path, hub, circle, "HTTP 302|infinite loop")


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirects_out_of_the_web_are_refused(hub: Hub, tmp_path: Path, to: str) -> None:
    for place in PLACES:
        fails(tmp_path, hub, on(place, lambda handler: handler.answer(302, Location=to)), "not secure|not allowed")
        shutil.rmtree(tmp_path / "home")


class Tokens:
    """What Authorization came with which request."""

    def __init__(self, hub: Hub, wanted: bool = False) -> None:
        self.seen: list[tuple[str, str | None]] = []
        self._wanted = wanted
        hub.trouble = self

    def __call__(self, handler: Handler) -> bool:
        token = handler.headers.get("Authorization")
        self.seen.append((handler.path, token))
        if self._wanted and token != f"Bearer {TOKEN}" and "elsewhere" not in handler.path:
            return handler.refuse(401, "GatedRepo" if "/resolve/" in handler.path else "")
        return False


def test_a_token_goes_to_the_hub_and_not_to_where_files_are(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    tokens = Tokens(hub, wanted=True)
    get()
    assert {token for path, token in tokens.seen if "elsewhere" in path} == {None}
    assert {token for path, token in tokens.seen if "elsewhere" not in path} == {f"Bearer {TOKEN}"}


def test_a_token_goes_with_redirects_within_the_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    tokens = Tokens(hub, wanted=True)

    def renamed(handler: Handler) -> bool:
        if "old/name" in handler.path:
            return handler.answer(307, Location=handler.path.replace("old/name", "someone/model"))
        return tokens(handler)

    hub.trouble = renamed
    get("hf-hub:old/name")
    assert {token for path, token in tokens.seen if "someone/model" in path} == {f"Bearer {TOKEN}"}


def test_a_token_that_leaves_the_hub_does_not_come_back(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    tokens = Tokens(hub)

    def there_and_back(handler: Handler) -> bool:
        tokens(handler)
        if handler.path.startswith("/elsewhere/") and "127" not in handler.headers["Host"]:
            return handler.answer(302, Location=f"{hub.url}/elsewhere/model.safetensors")
        return False

    hub.trouble = there_and_back
    get()
    assert {token for path, token in tokens.seen if "elsewhere" in path} == {None}


def test_without_a_token_none_is_sent(hub: Hub) -> None:
    tokens = Tokens(hub)
    get()
    assert {token for _, token in tokens.seen} == {None}


def test_the_token_of_huggingface_hub_is_used_where_one_is_wanted(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text(f"{TOKEN}\n")
    imported_anew(monkeypatch)
    tokens = Tokens(hub, wanted=True)
    get()
    assert [token for path, token in tokens.seen if "elsewhere" not in path] == [None, *[f"Bearer {TOKEN}"] * 5]


def test_a_token_that_has_expired_is_no_reason_to_refuse_what_is_public(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the hub does, which answers 401 to a token that is none."""
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    hub.trouble = lambda handler: "Authorization" in handler.headers and handler.refuse(401)
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS
    assert len(hub.asked) == 7  # one of them twice


def test_a_token_that_may_not_read_it_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    hub.trouble = lambda handler: handler.refuse(403)
    with pytest.raises(ModelNotFoundError, match="the token that was sent may not read it") as caught:
        get()
    assert "hf_wrong" not in str(caught.value)


def test_limits_are_what_published_models_need() -> None:
    assert transfer.LIMIT > 20 << 30  # EVA02-E-14-plus in single precision
    assert hub_client.SMALL > 34_363_039  # the tokenizer of SigLIP 2
