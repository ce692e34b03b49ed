"""Downloads from a server on this machine that misbehaves by script; the network itself is never needed."""

import errno
import hashlib
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from numpyclip.errors import ChecksumError, DownloadError, OfflineError
from numpyclip.weights import partial_file, progress
from tests.weights.downloads import BODY, HALF, SHA256, Terminal, dead_port, get, left_in, model_at, obtain
from tests.weights.scripted_server import (
    Move,
    answer,
    chunked,
    drop_after,
    proper,
    serving,
    whole,
    without_length,
)

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


def test_where_stderr_is_no_terminal_only_a_large_download_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    get(tmp_path)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr(progress, "_LARGE", len(BODY))
    (tmp_path / "toy.pt").unlink()
    get(tmp_path, drop_after(HALF), proper)
    assert capfd.readouterr() == ("", "toy.pt: downloading 0 MB\n")


def test_stderr_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    get(tmp_path)


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
    with pytest.raises(DownloadError, match=r"\$NUMPYCLIP_MIRROR: is no URL"):
        obtain(model_at(), tmp_path)


@pytest.mark.parametrize("value", ["https://me:secret@example.org", "https://h/f?sig=secret", "me:secret@example.org"])
def test_mirror_with_a_password_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NUMPYCLIP_MIRROR", value)
    with pytest.raises(DownloadError, match="user name") as caught:
        obtain(model_at(), tmp_path)
    assert "secret" not in str(caught.value)


# The disk


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    append = partial_file.Part.append

    def full(part: partial_file.Part, data: bytes) -> None:
        append(part, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(partial_file.Part, "append", full)


def test_full_disk_says_what_is_needed_and_keeps_what_has_arrived(tmp_path: Path, full_disk: None) -> None:
    with serving(BODY) as script, pytest.raises(DownloadError) as caught:
        obtain(model_at(script), tmp_path)
    assert "disk is full" in str(caught.value)
    assert "200,000 bytes are needed" in str(caught.value)
    assert left_in(tmp_path) == {"toy.pt.part"}
    assert BODY.startswith((tmp_path / "toy.pt.part").read_bytes())
    assert isinstance(caught.value.__cause__, OSError)


def test_full_disk_is_not_blamed_on_the_next_address(tmp_path: Path, full_disk: None) -> None:
    with serving(BODY) as first, serving(BODY) as second, pytest.raises(DownloadError):
        obtain(model_at(first, second), tmp_path)
    assert (len(first.asked), len(second.asked)) == (1, 0)


def test_a_file_that_is_larger_than_the_disk_is_not_begun_and_its_part_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=HALF - 1))
    (tmp_path / "toy.pt.part").write_bytes(BODY[:HALF])
    with serving(BODY) as script, pytest.raises(DownloadError, match="200,000 bytes are needed, 99,999 are free"):
        obtain(model_at(script), tmp_path)
    assert (tmp_path / "toy.pt.part").read_bytes() == BODY[:HALF]


def test_short_writes_are_completed(tmp_path: Path) -> None:
    with partial_file.Part(tmp_path / "x") as part:
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
