"""Files here and elsewhere: tried again, resumed at their byte, written whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import pytest

from numpyclip import remote, resumed_stream
from numpyclip.errors import InputError, MissingPackageError, NumPyCLIPError
from tests.http_server import running
from tests.object_store import ObjectStore

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    return ObjectStore(monkeypatch)


def test_urls_are_told_from_paths() -> None:
    assert all(map(remote.is_url, ["s3://b/k", "hf://datasets/a/b", "HTTPS://x", "zip://a.jpg::s3://b/a.zip"]))
    assert not any(map(remote.is_url, ["a.jpg", "/a://b", "C://a", "C:\\a", "s3:/a", "./s3://a", "://a", ""]))


def test_names_are_joined_and_taken_from_paths_and_urls() -> None:
    assert remote.join("s3://b/out/", "part.parquet") == "s3://b/out/part.parquet"
    assert remote.join("out", "part.parquet") == os.path.join("out", "part.parquet")  # noqa: PTH118
    assert remote.base_name("https://x.org/a/00000.tar?X-Amz-Signature=a/b") == "00000.tar"
    assert remote.base_name("s3://b/a?b.tar") == "a?b.tar"
    assert remote.base_name("/data/00000.tar") == "00000.tar"
    assert remote.base_name("/data/out/") == "out"


@pytest.mark.parametrize(
    ("place", "written"),
    [
        ("https://x.org/a/00000.tar?X-Amz-Signature=a/b#c", "https://x.org/a/00000.tar"),
        ("HTTPS://me:secret@x.org?token=1", "HTTPS://x.org"),
        ("sftp://me:s@cret@host//a@b/0.tar", "sftp://host//a@b/0.tar"),
        ("zip://0.tar::ftp://me:secret@host/a.zip", "zip://0.tar::ftp://host/a.zip"),
        ("s3://b/a?b@c.tar", "s3://b/a?b@c.tar"),
        ("/data/me@x?y.tar", "/data/me@x?y.tar"),
    ],
)
def test_passwords_and_signatures_are_not_written_down(place: str, written: str) -> None:
    assert remote.without_secrets(place) == written


def test_files_here_need_no_fsspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    (tmp_path / "b.bin").write_bytes(CONTENT)
    place = str(tmp_path / "new" / "a.bin")
    remote.put(tmp_path / "b.bin", place)
    assert remote.read_bytes(place, len(CONTENT)) == CONTENT
    with remote.open_stream(place, start=1000) as stream:
        assert stream.read(10) == CONTENT[1000:1010]
    assert (remote.exists(str(tmp_path)), remote.exists("/none")) == (True, False)
    assert remote.listing(str(tmp_path)) == [str(tmp_path / "b.bin")]
    assert remote.listing(str(tmp_path), recursive=True) == [str(tmp_path / "b.bin"), place]
    assert remote.glob(str(tmp_path / "**" / "*.bin")) == [str(tmp_path / "b.bin"), place]
    assert remote.listing("/none") == []
    with pytest.raises(MissingPackageError, match=r"s3://b/k: URLs need .*pip install numpyclip\[remote\]"):
        remote.exists("s3://b/k")


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes")
def test_a_named_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(InputError, match="is a named pipe"):
        remote.open_stream(str(tmp_path / "pipe.tar"))


def test_what_is_not_there_is_told_at_once(store: ObjectStore) -> None:
    for place in ("/none/a.tar", "memory://none/a.tar"):
        with pytest.raises(InputError, match=f"{place}: cannot be read .*o such file"):
            remote.open_stream(place)
    assert store.pauses == []
    with pytest.raises(InputError, match=r"unheard://a: is not a URL that can be opened .*unheard"):
        remote.exists("unheard://a")


def test_objects_are_listed_and_found(store: ObjectStore) -> None:
    for name in ("a/1.tar", "a/0.tar", "a/b/2.tar", "a/notes.txt"):
        store.put(f"memory://{name}", b"")
    assert remote.listing("memory://a") == ["memory:///a/0.tar", "memory:///a/1.tar", "memory:///a/notes.txt"]
    assert "memory:///a/b/2.tar" in remote.listing("memory://a/", recursive=True)
    assert remote.listing("memory://none") == []
    assert remote.glob("memory://a/*.tar") == ["memory:///a/0.tar", "memory:///a/1.tar"]
    assert remote.glob("memory://a/**/*.tar")[-1] == "memory:///a/b/2.tar"
    assert remote.exists("memory://a/0.tar")
    assert not remote.exists("memory://a/3.tar")


def test_a_connection_that_breaks_is_resumed_at_its_byte(store: ObjectStore) -> None:
    url = store.put("memory://a.bin", CONTENT)
    store.breaks = [100_000, 1, 0, 0]
    with remote.open_stream(url) as stream:
        assert stream.read() == CONTENT
    assert store.opened == 5
    assert store.pauses == [0.5, 0.5, 1.0, 2.0]  # from the start after bytes have come


def test_a_connection_that_breaks_again_and_again_is_given_up(store: ObjectStore) -> None:
    url = store.put("memory://a.bin", CONTENT)
    store.breaks = [70_000] + [0] * 10
    with remote.open_stream(url) as stream:
        assert stream.read(70_000) == CONTENT[:70_000]
        with pytest.raises(InputError, match=r"memory://a.bin: cannot be read \(the connection was reset\)"):
            stream.read(1)
    assert store.pauses == [0.5, 1, 2, 4]


def test_an_object_that_changes_while_it_is_read_is_not_mixed(store: ObjectStore) -> None:
    url = store.put("memory://a.bin", CONTENT)
    store.breaks = [100_000]
    with remote.open_stream(url) as stream:
        stream.read(70_000)
        store.put(url, CONTENT[::-1] + b"new")
        with pytest.raises(InputError, match="has changed while it was read"):
            stream.read()


def test_a_store_that_is_busy_is_asked_again(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"new")
    url = store.put("memory://a/b.bin", CONTENT)
    store.refusals = [TimeoutError(), OSError("503 slow down")]
    assert remote.listing("memory://a") == ["memory:///a/b.bin"]
    store.refusals = [TimeoutError()]
    assert remote.exists(url)
    store.refusals = [TimeoutError()]
    assert remote.glob("memory://a/*") == ["memory:///a/b.bin"]
    store.refusals = [TimeoutError()]
    remote.put(tmp_path / "part", url)
    assert store.get(url) == b"new"
    store.refusals = [TimeoutError() for _ in range(10)]
    with pytest.raises(InputError, match=r"memory://a: cannot be read \(TimeoutError\)"):
        remote.listing("memory://a")
    with pytest.raises(NumPyCLIPError, match=r"memory://a/b.bin: cannot be written"):
        remote.put(tmp_path / "part", url)
    assert store.get(url) == b"new"


def test_what_is_forbidden_is_not_asked_again(store: ObjectStore) -> None:
    class ForbiddenError(Exception):
        status = 403

    store.refusals = [ForbiddenError("403, forbidden")]
    with pytest.raises(InputError, match="403, forbidden"):
        remote.exists("memory://a")
    store.refusals = [PermissionError(errno.EACCES, "Access Denied")]
    with pytest.raises(InputError, match="Access Denied"):
        remote.exists("memory://a")
    assert store.pauses == []


def test_a_finished_file_is_put_under_a_url(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT)
    remote.put(tmp_path / "part", "memory://out/deep/part-00000.parquet")
    assert store.get("memory://out/deep/part-00000.parquet") == CONTENT
    remote.put(tmp_path / "part", f"file://{tmp_path}/new/folder/part")
    assert (tmp_path / "new/folder/part").read_bytes() == CONTENT


def test_a_small_file_that_is_large_is_refused(store: ObjectStore) -> None:
    url = store.put("memory://a.bin", CONTENT)
    with pytest.raises(InputError, match=r"memory://a.bin: has more than 1000 bytes"):
        remote.read_bytes(url, 1000)


def test_streams_seek_as_files_do(store: ObjectStore) -> None:
    url = store.put("memory://a.bin", CONTENT)
    with remote.open_stream(url, start=5) as stream:
        assert stream.read(3) == CONTENT[5:8]
        assert stream.seek(-100_000, os.SEEK_END) == len(CONTENT) - 100_000
        assert stream.read(3) == CONTENT[-100_000:-99_997]
        assert stream.seek(70_000) == 70_000
        assert stream.read(3) == CONTENT[70_000:70_003]
    assert store.opened == 1


class _Server(BaseHTTPRequestHandler):
    """Fails as it is told, one thing for each request to come."""

    ranges = True
    failures: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._begin(200, CONTENT)

    def do_GET(self) -> None:
        failure = self.failures.pop(0) if self.failures else ""
        body, headers, status = CONTENT, {}, 503 if failure == "busy" else 200
        if self.ranges and status == 200 and (asked := self.headers.get("Range")):
            first, last = map(int, asked.removeprefix("bytes=").split("-"))
            body, status = CONTENT[first : last + 1], 206
            headers = {"Content-Range": f"bytes {first}-{first + len(body) - 1}/{len(CONTENT)}"}
        self._begin(status, body, headers)
        self.wfile.write(body[: len(body) // 2] if failure == "half" else b"" if failure == "none" else body)
        self.close_connection = True

    def _begin(self, status: int, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status if self.path == "/a.bin" else 404)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    pytest.importorskip("aiohttp", reason="http:// URLs need aiohttp")
    monkeypatch.setattr(_Server, "ranges", request.param)
    monkeypatch.setattr(_Server, "failures", [])
    monkeypatch.setattr(resumed_stream, "sleep", lambda seconds: None)
    monkeypatch.setattr(resumed_stream, "_BLOCK", 100_000)
    with running(_Server) as url:
        yield url


@pytest.mark.parametrize("failures", [["half", "half"], ["busy", "half", "none", "", "busy", "none"], ["none"] * 4])
def test_a_web_server_that_hangs_up_is_asked_for_the_rest(server: str, failures: list[str]) -> None:
    _Server.failures = failures.copy()
    with remote.open_stream(f"{server}/a.bin") as stream:
        assert stream.read() == CONTENT


def test_a_web_server_that_never_sends_the_rest_is_given_up(server: str) -> None:
    with remote.open_stream(f"{server}/a.bin") as stream:
        stream.read(100_000)
        _Server.failures = ["none"] * 20
        with pytest.raises(InputError, match=r"a.bin: cannot be read"):
            stream.read()


def test_a_page_that_is_not_there_is_told(server: str) -> None:
    with pytest.raises(InputError, match=r"none: cannot be read \(there is no such file\)"):
        remote.open_stream(f"{server}/none")


@pytest.mark.parametrize("create", [None, TypeError("mode"), NotImplementedError()])
def test_a_new_file_replaces_none(tmp_path: Path, store: ObjectStore, create: Exception | None) -> None:
    for place in (str(tmp_path / "a.json"), "memory://b/a.json"):
        if create and remote.is_url(place):
            store.refusals.append(create)  # of a store, or an fsspec, without conditional writes
        remote.write_new(place, b"one")
        remote.write_new(place, b"two")
        assert remote.read_bytes(place, 10) == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(NumPyCLIPError, match=r"no/a: cannot be written"):
        remote.write_new(str(tmp_path / "no" / "a"), b"")


def test_a_new_file_is_written_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    remote.write_new(str(tmp_path / "a"), b"one")
    assert (tmp_path / "a").read_bytes() == b"one"


def test_a_file_is_removed_if_it_is_there(tmp_path: Path, store: ObjectStore) -> None:
    for place in (str(tmp_path / "a"), "memory://b/a"):
        remote.write_new(place, b"")
        for _ in range(2):
            remote.remove(place)
            assert not remote.exists(place)
    with pytest.raises(NumPyCLIPError, match="cannot be removed"):
        remote.remove(str(tmp_path))
