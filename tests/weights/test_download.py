"""Downloads from a server on this machine that misbehaves by script; the network itself is never needed."""

import contextlib
import errno
import hashlib
import io
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any, NoReturn

import pytest

from numpyclip import atomic
from numpyclip.errors import ChecksumError, DownloadError, OfflineError
from numpyclip.lock import exclusive
from numpyclip.weights import download, local, transfer
from numpyclip.weights.catalogue import KnownModel
from numpyclip.weights.download import obtain
from numpyclip.weights.local import is_present, verify, weights_folder
from tests.weights.scripted_server import (
    Handler,
    Move,
    Script,
    answer,
    babble,
    chunked,
    drop_after,
    endless,
    gzipped,
    hang_up,
    proper,
    serving,
    silent,
    stall_after,
    whole,
    without_length,
)

BODY = random.Random(0).randbytes(200_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
HALF = len(BODY) // 2
SRC = str(Path(download.__file__).parents[2])

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


def model_at(*servers: Script | str, sha256: str = SHA256) -> KnownModel:
    urls = tuple(s if isinstance(s, str) else f"{s.url}/toy.pt" for s in servers)
    return KnownModel("Toy/1", "toy.pt", sha256, urls)


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def get(folder: Path, *moves: Move, part: bytes | None = None) -> Script:
    """Download from one server, onto what is in the part file; all must be well in the end."""
    if part is not None:
        (folder / "toy.pt.part").write_bytes(part)
    with serving(BODY, *moves) as script:
        file = obtain(model_at(script), folder)
    assert file == folder / "toy.pt"
    assert file.read_bytes() == BODY
    assert left_in(folder) == {"toy.pt", "toy.pt.verified"}
    return script


def fail(folder: Path, *moves: Move, part: bytes | None = None) -> tuple[str, Script]:
    """Download from one server; it must fail without leaving anything that looks finished."""
    if part is not None:
        (folder / "toy.pt.part").write_bytes(part)
    with serving(BODY, *moves) as script, pytest.raises(DownloadError) as caught:
        obtain(model_at(script), folder)
    assert left_in(folder) <= {"toy.pt.part"}
    assert script.url in str(caught.value)
    return str(caught.value), script


class Terminal(io.StringIO):
    """A stderr to be looked at by a person."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# The folder


def test_folder_is_download_root_before_clip_dir_before_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert weights_folder() == tmp_path / ".cache" / "clip"
    monkeypatch.setenv("CLIP_DIR", "")
    assert weights_folder() == tmp_path / ".cache" / "clip"
    monkeypatch.setenv("CLIP_DIR", "~/weights")
    assert weights_folder() == tmp_path / "weights"
    assert weights_folder("~/other") == tmp_path / "other"
    assert weights_folder(tmp_path / "x") == tmp_path / "x"


def test_only_one_folder_is_looked_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    monkeypatch.setenv("CLIP_DIR", str(tmp_path))
    assert is_present(model_at())
    assert not is_present(model_at(), tmp_path / "elsewhere")


def test_home_that_is_not_known_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: Path) -> NoReturn:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(DownloadError, match=r"no home directory is known.*CLIP_DIR"):
        weights_folder()


def test_folder_is_made(tmp_path: Path) -> None:
    with serving(BODY) as script:
        assert obtain(model_at(script), tmp_path / "a" / "b").parent == tmp_path / "a" / "b"


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match=r"file.*(cannot be read|cannot be made).*download_root"):
        obtain(model_at(), tmp_path / "file" / "sub")


# A file that is there


def test_good_file_is_used_without_opening_a_socket(tmp_path: Path, no_sockets: None) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    assert obtain(model_at("http://nowhere.invalid/toy.pt"), tmp_path) == tmp_path / "toy.pt"


def test_good_file_is_read_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    reads: list[Path] = []
    read = local._read_sha256

    def counted(file: Path) -> str:
        reads.append(file)
        return read(file)

    monkeypatch.setattr(local, "_read_sha256", counted)
    for _ in range(3):
        obtain(model_at(), tmp_path)
    assert len(reads) == 1


def test_downloaded_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get(tmp_path)
    monkeypatch.setattr(local, "_read_sha256", lambda _: pytest.fail("read again"))
    obtain(model_at(), tmp_path)


def test_stamp_does_not_outlive_a_change_of_the_file(tmp_path: Path) -> None:
    get(tmp_path)
    file = tmp_path / "toy.pt"
    facts = file.stat()
    file.write_bytes(b"x" + BODY[1:])  # same size
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000_000))
    with serving(BODY) as script, pytest.warns(UserWarning, match=f"{SHA256}.*downloaded again"):
        obtain(model_at(script), tmp_path)
    assert file.read_bytes() == BODY


@pytest.mark.parametrize("stamp", [b"", b"\xff\xfe", b"sha256 " + SHA256.encode()])
def test_broken_stamp_is_ignored(tmp_path: Path, stamp: bytes) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    (tmp_path / "toy.pt.verified").write_bytes(stamp)
    obtain(model_at(), tmp_path)
    assert (tmp_path / "toy.pt.verified").read_bytes() != stamp


def test_stamp_that_cannot_be_written_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    (tmp_path / "toy.pt.verified").mkdir()
    assert obtain(model_at(), tmp_path).is_file()


def test_damaged_file_is_warned_about_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "toy.pt").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match=r"toy\.pt: has SHA-256 .*; expected "):
        get(tmp_path)


def test_damaged_file_stays_until_the_new_one_is_verified(tmp_path: Path) -> None:
    (tmp_path / "toy.pt").write_bytes(b"damaged")
    with serving(BODY, answer(404)) as script, pytest.warns(UserWarning), pytest.raises(DownloadError):
        obtain(model_at(script), tmp_path)
    assert (tmp_path / "toy.pt").read_bytes() == b"damaged"


@pytest.mark.parametrize("name", ["toy.pt", "toy.pt.part"])
def test_folder_in_place_of_the_file_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(DownloadError, match="not a regular file"):
        obtain(model_at(), tmp_path)


def test_file_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)

    def forbid(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", forbid)
    with pytest.raises(DownloadError, match=r"toy\.pt: cannot be read \(Permission denied\)"):
        obtain(model_at(), tmp_path)


def test_verify_tells_verified_damaged_and_missing(tmp_path: Path, no_sockets: None) -> None:
    assert verify(model_at(), tmp_path) == "missing"
    (tmp_path / "toy.pt").write_bytes(BODY)
    assert verify(model_at(), tmp_path) == "verified"
    (tmp_path / "toy.pt").write_bytes(b"damaged")
    assert verify(model_at(), tmp_path) == "damaged"
    assert (tmp_path / "toy.pt").exists()


def test_verify_does_not_believe_the_stamp(tmp_path: Path) -> None:
    file = tmp_path / "toy.pt"
    file.write_bytes(BODY)
    obtain(model_at(), tmp_path)
    facts = file.stat()
    file.write_bytes(b"x" + BODY[1:])
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert verify(model_at(), tmp_path) == "damaged"
    assert left_in(tmp_path) == {"toy.pt"}


def test_file_that_is_there_needs_neither_http_nor_tqdm(tmp_path: Path) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    code = (
        "import sys; from numpyclip.weights.catalogue import KnownModel;"
        "from numpyclip.weights.download import obtain;"
        f"obtain(KnownModel('Toy', 'toy.pt', {SHA256!r}, ()), sys.argv[1]);"
        "assert not {'http.client', 'urllib.request', 'ssl', 'tqdm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=child_environment())


# Offline


@pytest.mark.parametrize("value", ["1", "true", "yes", "on"])
def test_offline_never_opens_a_socket_and_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_sockets: None, value: str
) -> None:
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", value)
    with pytest.raises(OfflineError) as caught:
        obtain(model_at("http://example.org/toy.pt"), tmp_path / "new")
    for told in ("toy.pt", str(tmp_path / "new"), "http://example.org/toy.pt", SHA256, "NUMPYCLIP_OFFLINE"):
        assert told in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_offline_damage_is_a_checksum_error_with_both_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_sockets: None
) -> None:
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    (tmp_path / "toy.pt").write_bytes(b"damaged")
    with pytest.raises(ChecksumError) as caught:
        obtain(model_at("http://example.org/toy.pt"), tmp_path)
    for told in ("toy.pt", hashlib.sha256(b"damaged").hexdigest(), SHA256, "by hand"):
        assert told in str(caught.value)


@pytest.mark.parametrize("value", ["", "0", "false", "No", " FALSE "])
def test_offline_can_be_switched_off_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", value)
    get(tmp_path)


# A good download


def test_download_leaves_only_the_file_and_its_stamp(tmp_path: Path) -> None:
    script = get(tmp_path)
    assert script.paths == ["/toy.pt"]
    assert script.asked[0][1]["Accept-Encoding"] == "identity"
    assert script.ranges == [None]


def test_file_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def counted_fsync(file: int) -> None:
        steps.append("fsync")
        fsync(file)

    def counted_replace(path: Path, target: Path) -> Path:
        steps.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", counted_fsync)
    monkeypatch.setattr(Path, "replace", counted_replace)
    get(tmp_path)
    assert steps == ["fsync", "replace"]


@pytest.mark.parametrize("move", [whole, without_length, chunked])
def test_length_may_be_announced_or_not(tmp_path: Path, move: Move) -> None:
    get(tmp_path, move)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_their_range(tmp_path: Path, status: int) -> None:
    script = get(tmp_path, answer(status, Location="/there"), proper, part=BODY[:HALF])
    assert script.paths == ["/toy.pt", "/there"]
    assert script.ranges == [f"bytes={HALF}-"] * 2


def test_progress_is_shown_on_a_terminal_from_the_resumed_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    get(tmp_path, part=BODY[:HALF])
    drawn = terminal.getvalue()
    assert "toy.pt:" in drawn
    assert " 50%" in drawn and "100%" in drawn and "195k/195k" in drawn


def test_progress_starts_over_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    get(tmp_path, drop_after(HALF), whole)
    assert terminal.getvalue().count("toy.pt:   0%") == 2


def test_nothing_is_shown_where_stderr_is_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    get(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_stderr_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    get(tmp_path)


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
    monkeypatch.setattr(transfer, "TIMEOUT", 0.2)
    assert len(get(tmp_path, move, proper).ranges) >= 2


def test_a_server_that_never_answers_gets_no_second_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT", 0.2)
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
    monkeypatch.setattr(transfer, "TIMEOUT", 0.5)
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


@pytest.mark.parametrize("status", [400, 403, 404, 410, 429, 500, 503])
def test_status_of_failure_goes_to_the_next_address_at_once(tmp_path: Path, status: int, pauses: list[float]) -> None:
    with serving(BODY, answer(status)) as bad, serving(BODY) as good:
        obtain(model_at(bad, good), tmp_path)
    assert (len(bad.asked), len(good.asked), pauses) == (1, 1, [])


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
    assert told.startswith("Toy/1: could not be downloaded.")
    assert f"{first.url}/toy.pt: HTTP 404" in told
    assert f"{second.url}/toy.pt: HTTP 503" in told
    assert f"127.0.0.1:{port}/toy.pt: could not connect" in told
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
        transfer._Redirects().redirect_request(request, io.BytesIO(), 302, "Found", Message(), "http://example.org/a")
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


# Proxies and mirrors


def test_dead_proxy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"127.0.0.1:{dead_port()}"
    monkeypatch.setenv("http_proxy", f"http://someone:secret@{proxy}")
    with pytest.raises(DownloadError, match=f"could not connect through the proxy {proxy}.*HTTP_PROXY") as e:
        obtain(model_at("http://example.org/toy.pt"), tmp_path)
    assert "secret" not in str(e.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_wants_a_password_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    with serving(BODY, answer(407)) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", proxy.url)
        with pytest.raises(DownloadError, match=r"407.*Proxy Authentication Required"):
            obtain(model_at(f"{scheme}://example.org/toy.pt"), tmp_path)
    assert len(proxy.asked) == 1


def test_proxy_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(BODY) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        obtain(model_at("http://example.org/toy.pt"), tmp_path)
    assert proxy.paths == ["http://example.org/toy.pt"]


def test_mirror_is_tried_first_flat_and_as_openai_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(BODY, answer(404)) as mirror, serving(BODY) as published:
        monkeypatch.setenv("NUMPYCLIP_MIRROR", f"{mirror.url}/weights/")
        obtain(model_at(published), tmp_path)
    assert mirror.paths == ["/weights/toy.pt", f"/weights/{SHA256}/toy.pt"]
    assert published.paths == ["/toy.pt"]


def test_mirror_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(BODY) as mirror:
        monkeypatch.setenv("NUMPYCLIP_MIRROR", mirror.url)
        obtain(model_at("http://nowhere.invalid/toy.pt"), tmp_path)


@pytest.mark.parametrize("value", ["file:///tmp", "/tmp", "example.org", "ftp://x", "http://", "http:///x"])
def test_mirror_that_is_no_web_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_sockets: None, value: str
) -> None:
    monkeypatch.setenv("NUMPYCLIP_MIRROR", value)
    with pytest.raises(DownloadError, match=r"\$NUMPYCLIP_MIRROR: is "):
        obtain(model_at(), tmp_path)


def test_mirror_with_a_password_is_refused_without_showing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMPYCLIP_MIRROR", "https://me:secret@example.org")
    with pytest.raises(DownloadError, match="user name") as caught:
        obtain(model_at(), tmp_path)
    assert "secret" not in str(caught.value)


# The disk


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    append = transfer.Part.append

    def full(part: transfer.Part, data: bytes) -> None:
        append(part, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfer.Part, "append", full)


def test_full_disk_says_what_is_needed_and_leaves_nothing(tmp_path: Path, full_disk: None) -> None:
    with serving(BODY) as script, pytest.raises(DownloadError) as caught:
        obtain(model_at(script), tmp_path)
    assert "disk is full" in str(caught.value)
    assert "200,000 bytes are needed" in str(caught.value)
    assert left_in(tmp_path) == set()
    assert isinstance(caught.value.__cause__, OSError)


def test_full_disk_is_not_blamed_on_the_next_address(tmp_path: Path, full_disk: None) -> None:
    with serving(BODY) as first, serving(BODY) as second, pytest.raises(DownloadError):
        obtain(model_at(first, second), tmp_path)
    assert (len(first.asked), len(second.asked)) == (1, 0)


def test_short_writes_are_completed(tmp_path: Path) -> None:
    with transfer.Part(tmp_path / "x") as part:
        raw = part._file

        class Short:
            def write(self, data: memoryview) -> int:
                return raw.write(data[:7]) or 0

        part._file = Short()  # type: ignore[assignment]
        part.append(BODY[:100])
        part._file = raw
    assert (tmp_path / "x").read_bytes() == BODY[:100]


def test_folder_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "open", forbid)
    with (
        serving(BODY) as script,
        pytest.raises(DownloadError, match=r"cannot be written \(Read-only.*CLIP_DIR"),
    ):
        obtain(model_at(script), tmp_path)
    assert script.asked == []


def test_verified_part_is_kept_if_it_cannot_be_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "used by another process")

    monkeypatch.setattr(Path, "replace", busy)
    with serving(BODY) as script, pytest.raises(DownloadError, match="used by another process"):
        obtain(model_at(script), tmp_path)
    monkeypatch.undo()
    assert obtain(model_at(), tmp_path).read_bytes() == BODY  # and needs no network any more


# Several at once

CHILD = f"""
import sys
from numpyclip.weights import transfer
from numpyclip.weights.catalogue import KnownModel
from numpyclip.weights.download import obtain

append = transfer.Part.append
def report(part, data):
    append(part, data)
    print("size", part.size, flush=True)
transfer.Part.append = report

print("ready", flush=True)
obtain(KnownModel("Toy", "toy.pt", {SHA256!r}, (sys.argv[1] + "/toy.pt",)), sys.argv[2])
print("done", flush=True)
"""


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": SRC}


@contextlib.contextmanager
def child(script: Script, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", CHILD, script.url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=child_environment()) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdout is not None
    assert any(told.strip() == line for told in process.stdout), f"the process ended before {line!r}"


def test_two_processes_fetch_the_file_once(tmp_path: Path) -> None:
    second_is_ready = threading.Event()

    def half_then_rest(handler: Handler) -> None:
        start = handler.start()
        handler.wfile.write(BODY[start:HALF])
        second_is_ready.wait(30)
        handler.wfile.write(BODY[HALF:])

    with serving(BODY, half_then_rest) as script, child(script, tmp_path) as first:
        wait_for(first, f"size {HALF}")
        with child(script, tmp_path) as second:
            wait_for(second, "ready")
            second_is_ready.set()
            wait_for(first, "done")
            wait_for(second, "done")
    assert script.ranges == [None]
    assert (tmp_path / "toy.pt").read_bytes() == BODY
    assert left_in(tmp_path) == {"toy.pt", "toy.pt.verified"}


def test_killed_process_blocks_nobody_and_its_part_is_continued(tmp_path: Path) -> None:
    with serving(BODY, stall_after(HALF), proper) as script:
        with child(script, tmp_path) as process:
            wait_for(process, f"size {HALF}")
            process.kill()
            process.wait()
        assert left_in(tmp_path) == {"toy.pt.part", "toy.pt.lock"}
        obtain(model_at(script), tmp_path)
    assert script.ranges == [None, f"bytes={HALF}-"]
    assert left_in(tmp_path) == {"toy.pt", "toy.pt.verified"}


def test_many_threads_fetch_the_file_once(tmp_path: Path) -> None:
    results: list[Path] = []
    with serving(BODY) as script:
        threads = [
            threading.Thread(target=lambda: results.append(obtain(model_at(script), tmp_path))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [tmp_path / "toy.pt"] * 8
    assert script.ranges == [None]


def test_without_locks_each_writes_its_own_part_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def never_alone(_: Path) -> Iterator[bool]:
        yield False

    monkeypatch.setattr(atomic, "exclusive", never_alone)
    (tmp_path / "toy.pt.part").write_bytes(b"of another process")
    with serving(BODY, drop_after(HALF), answer(500), proper) as script:
        with pytest.raises(DownloadError) as caught:
            obtain(model_at(script), tmp_path)
        assert "are kept" not in str(caught.value)
        assert left_in(tmp_path) == {"toy.pt.part"}
        obtain(model_at(script), tmp_path)
    assert script.ranges == [None, f"bytes={HALF}-", None]
    assert (tmp_path / "toy.pt.part").read_bytes() == b"of another process"


def test_who_waits_for_another_is_told_and_then_finds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    waiting = threading.Thread(target=obtain, args=(model_at(), tmp_path))  # no address: it can only find
    with exclusive(tmp_path / "toy.pt.lock"):
        waiting.start()
        assert terminal.written.wait(30)
        (tmp_path / "toy.pt").write_bytes(BODY)
    waiting.join()
    assert terminal.getvalue() == "toy.pt: another process is downloading it; waiting for it\n"
    assert left_in(tmp_path) == {"toy.pt", "toy.pt.verified"}


def test_lock_that_was_waited_for_keeps_the_next_one_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    lock = tmp_path / "toy.pt.lock"
    there: list[bool] = []

    def wait() -> None:
        with exclusive(lock) as alone:
            there.append(alone and lock.exists())  # not the file that the holder before has removed

    waiting = threading.Thread(target=wait)
    with exclusive(lock):
        waiting.start()
        assert terminal.written.wait(30)
    waiting.join()
    assert there == [True]


def test_lock_that_is_left_over_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "toy.pt.lock").write_bytes(b"")
    get(tmp_path)


def test_lock_that_cannot_be_had_does_not_stop_the_download(tmp_path: Path) -> None:
    (tmp_path / "toy.pt.lock").mkdir()
    with serving(BODY) as script:
        obtain(model_at(script), tmp_path)
    assert left_in(tmp_path) == {"toy.pt", "toy.pt.verified", "toy.pt.lock"}
