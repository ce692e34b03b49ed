"""A hub that lies about its files, or lists far too many."""

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from numpyclip.errors import ChecksumError, DownloadError
from numpyclip.weights import hub_client
from numpyclip.weights.hub import obtain
from tests.weights.hub_server import COMMIT, Handler, Hub
from tests.weights.hub_trouble import (
    FILES,
    HALF,
    NAME,
    SHA256,
    WEIGHTS,
    fails,
    get,
    hang_up,
    on,
)

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


@pytest.mark.parametrize("etag", ['"012345678901234567890123456789012345678"', 'W/"5f3-abc"', "plain"])
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
    assert not list((tmp_path / "home").rglob("*.incomplete"))


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
        obtain(NAME, lambda names, is_all=True: list(names))
    assert hub.fetched == []


@pytest.mark.parametrize("head", [b"blob 22\0", b""])  # as the hub has it; as a mirror may
@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_small_file_has_the_sha1_that_is_stated(hub: Hub, tmp_path: Path, head: bytes, times: int) -> None:
    body = FILES["config.json"]
    etag = hashlib.sha1(head + body).hexdigest()
    facts = {"X_Repo_Commit": COMMIT, "ETag": f'"{etag}"'}
    wrong = [body[:-1] + b"!"] * times

    def send(handler: Handler) -> bool:
        if "config.json" not in handler.path:
            return False
        return handler.answer(200, wrong.pop() if wrong and handler.command == "GET" else body, **facts)

    hub.trouble = send
    if times == 2:
        with pytest.raises(ChecksumError, match=f"with Git's SHA-1 [0-9a-f]+; expected {etag}"):
            get()
    assert (get() / "config.json").read_bytes() == body


def test_a_list_of_far_too_many_files_is_refused(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_client, "MANY", 1)
    with pytest.raises(DownloadError, match="sent a list of 2 files; expected at most 1"):
        get()


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
