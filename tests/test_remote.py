"""Local and remote files: retries, resumed reads, and atomic writes."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from numpyclip import file_systems, remote, resumed_stream
from numpyclip.errors import InputError, MissingPackageError, NumPyCLIPError
from numpyclip.file_systems import CredentialsError, OutageError, is_url
from tests.http_server import running
from tests.object_store import ObjectStore

CONTENT = bytes(range(256)) * 1000


def test_names_are_joined_and_taken_from_paths_and_urls() -> None:
    assert remote.join("s3://b/out/", "part.parquet") == "s3://b/out/part.parquet"
    assert remote.join("out", "part.parquet") == os.path.join("out", "part.parquet")  # noqa: PTH118
    assert remote.base_name("https://x.org/a/00000.tar?X-Amz-Signature=a/b") == "00000.tar"
    assert remote.base_name("s3://b/a?b.tar") == "a?b.tar"
    assert remote.base_name("/data/00000.tar") == "00000.tar"
    assert remote.base_name("/data/out/") == "out"


def test_files_here_need_no_fsspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    (tmp_path / "b.bin").write_bytes(CONTENT)
    (tmp_path / "new").mkdir()
    place = str(tmp_path / "new" / "a.bin")
    remote.write_new(place, CONTENT)
    assert remote.read_bytes(place, len(CONTENT)) == CONTENT
    with remote.open_stream(place, start=1000) as stream:
        assert stream.read(10) == CONTENT[1000:1010]
    assert (remote.exists(str(tmp_path)), remote.exists("/none")) == (True, False)
    assert remote.listing(str(tmp_path)) == [str(tmp_path / "b.bin")]
    assert remote.listing(str(tmp_path), recursive=True) == [str(tmp_path / "b.bin"), place]
    assert remote.glob(str(tmp_path / "**" / "*.bin")) == [str(tmp_path / "b.bin"), place]
    assert remote.listing("/none") == remote.names("/none") == []
    assert remote.names(str(tmp_path)) == ["b.bin", "new"]
    with pytest.raises(MissingPackageError, match=r's3://b/k: URLs need .*pip install s3fs "numpyclip\[remote\]"'):
        remote.exists("s3://b/k")


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes")
def test_a_named_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(InputError, match="is a named pipe"):
        remote.open_stream(str(tmp_path / "pipe.tar"))


class NoCredentialsError(Exception):
    """As botocore's."""


def test_missing_credentials_are_told_at_once(store: ObjectStore) -> None:
    store.refusals = [NoCredentialsError("Unable to locate credentials")] * 2
    with pytest.raises(CredentialsError, match=r"credentials\)\. For a public bucket set FSSPEC_S3_ANON=true"):
        remote.open_stream("memory://bucket/0.tar")
    with pytest.raises(NumPyCLIPError, match=r"cannot be written \(Unable to locate credentials\)"):
        remote.write_new("memory://bucket/new", b"")
    assert store.pauses == []


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
    assert remote.listing("memory://a") == ["memory://a/0.tar", "memory://a/1.tar", "memory://a/notes.txt"]
    assert "memory://a/b/2.tar" in remote.listing("memory://a/", recursive=True)
    assert remote.names("memory://a/") == ["0.tar", "1.tar", "b", "notes.txt"]
    assert remote.listing("memory://none") == remote.names("memory://none") == []
    assert remote.glob("memory://a/*.tar") == ["memory://a/0.tar", "memory://a/1.tar"]
    assert remote.glob("memory://a/**/*.tar")[-1] == "memory://a/b/2.tar"
    assert remote.exists("memory://a/0.tar")
    assert not remote.exists("memory://a/3.tar")


def _host(store: ObjectStore) -> str:
    """Register a kind of URLs with a host, which is no part of the paths, as of SFTP; return a folder."""
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    class Host(MemoryFileSystem):  # type: ignore[misc]
        protocol = ("host", "hosts")

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return ("/" + path.partition("://")[2].partition("/")[2] if "://" in path else path).rstrip("/")

    for name in Host.protocol:
        fsspec.register_implementation(name, Host, clobber=True)
    store.put("memory://in/a.jpg", CONTENT)
    return "hosts://me@example.org:22/in"


def _chain(store: ObjectStore) -> str:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("in/a.jpg", CONTENT)
    return "zip://in::" + store.put("memory://a.zip", content.getvalue())


def _cached(store: ObjectStore) -> str:
    return f"simplecache::{store.put('memory://in/a.jpg', CONTENT).removesuffix('/a.jpg')}"


def _folder(kind: str, tmp_path: Path) -> str:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(CONTENT)
    return f"{kind}://{tmp_path.as_posix()}/in"


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("kind", ["host", "chain", "file", "local", "cached"])
def test_what_is_found_is_where_it_was_asked_for(store: ObjectStore, tmp_path: Path, kind: str, end: str) -> None:
    kinds = {"host": _host, "chain": _chain, "cached": _cached}
    folder = kinds[kind](store) if kind in kinds else _folder(kind, tmp_path)
    *before, folder = re.split("(?<=cache::)", folder)
    head, colons, chain = folder.partition("::")
    head = "".join((*before, head))
    for found in (
        remote.listing(f"{head}{end}{colons}{chain}"),
        remote.listing(f"{head}{end}{colons}{chain}", recursive=True),
        remote.glob(f"{head}/*.jpg{colons}{chain}"),
    ):
        assert found == [f"{head}/a.jpg{colons}{chain}"]
        assert remote.read_bytes(found[0], len(CONTENT)) == CONTENT


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


def test_a_connection_that_breaks_after_every_byte_is_given_up(store: ObjectStore) -> None:
    url = store.put("memory://a.bin", CONTENT)
    for patient, failures in ((True, 5), (False, 2)):
        store.pauses.clear()
        store.breaks = [1] * 20
        with remote.open_stream(url, patient=patient) as stream, pytest.raises(OutageError, match="was reset"):
            stream.read()
        assert store.pauses == [0.5] * (failures - 1)


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
    assert remote.listing("memory://a") == ["memory://a/b.bin"]
    store.refusals = [TimeoutError()]
    assert remote.exists(url)
    store.refusals = [TimeoutError()]
    assert remote.glob("memory://a/*") == ["memory://a/b.bin"]
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
    promises: ClassVar[dict[str, str]] = {}
    requests: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.requests.append("HEAD")
        self._begin(200, CONTENT, self.promises)

    def do_GET(self) -> None:
        self.requests.append("GET")
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
    monkeypatch.setattr(_Server, "requests", [])
    monkeypatch.setattr(file_systems, "sleep", lambda seconds: None)
    monkeypatch.setattr(resumed_stream, "_BLOCK", 100_000)
    with running(_Server) as url:
        yield url


@pytest.mark.parametrize("failures", [["half", "half"], ["busy", "half", "none", "", "busy", "none"], ["none"] * 4])
def test_a_web_server_that_hangs_up_is_asked_for_the_rest(server: str, failures: list[str]) -> None:
    _Server.failures = failures.copy()
    with remote.open_stream(f"{server}/a.bin") as stream:
        assert stream.read() == CONTENT


@pytest.mark.parametrize("promises", [{}, {"Accept-Ranges": "none"}])
def test_a_small_file_costs_two_requests(
    server: str, monkeypatch: pytest.MonkeyPatch, promises: dict[str, str]
) -> None:
    monkeypatch.setattr(resumed_stream, "_BLOCK", 1 << 22)
    monkeypatch.setattr(_Server, "promises", promises)
    assert remote.read_bytes(f"{server}/a.bin", len(CONTENT)) == CONTENT
    assert _Server.requests == ["HEAD", "GET"]


def test_a_web_server_that_never_sends_the_rest_is_given_up(server: str) -> None:
    with remote.open_stream(f"{server}/a.bin") as stream:
        stream.read(100_000)
        _Server.failures = ["none"] * 20
        with pytest.raises(InputError, match=r"a.bin: cannot be read"):
            stream.read()


def test_a_page_that_is_not_there_is_told(server: str) -> None:
    with pytest.raises(InputError, match=r"none: cannot be read \(there is no such file\)"):
        remote.open_stream(f"{server}/none")


class _Refusing(_Server):
    """Refuses all requests."""

    status = 503

    def do_HEAD(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    do_GET = do_HEAD


@pytest.mark.parametrize(("patient", "pauses"), [(True, [0.5, 1, 2, 4]), (False, [0.5])])
def test_a_web_server_that_cannot_be_reached_is_asked_again(
    patient: bool, pauses: list[float], store: ObjectStore
) -> None:
    """For fsspec there is no such file, whatever the reason."""
    pytest.importorskip("aiohttp", reason="http:// URLs need aiohttp")
    with running(_Refusing) as url, pytest.raises(OutageError, match=r"a.bin: cannot be read \(503"):
        remote.open_stream(f"{url}/a.bin", patient=patient)
    assert store.pauses == pauses
    with pytest.raises(OutageError, match=r"a.bin: cannot be read \(.*onnect"):  # nobody is there any more
        remote.open_stream(f"{url}/a.bin", patient=patient)
    assert store.pauses == 2 * pauses


def test_a_page_that_is_forbidden_is_told_at_once(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="http:// URLs need aiohttp")
    monkeypatch.setattr(_Refusing, "status", 403)
    with running(_Refusing) as url, pytest.raises(InputError, match=r"a.bin: cannot be read \(403") as raised:
        remote.open_stream(f"{url}/a.bin?sig=secret".replace("://", "://me:secret@"))
    assert not isinstance(raised.value, OutageError)
    assert "secret" not in str(raised.value)
    assert store.pauses == []


@pytest.mark.parametrize("create", [None, TypeError("mode"), NotImplementedError()])
def test_a_new_file_replaces_none(tmp_path: Path, store: ObjectStore, create: Exception | None) -> None:
    for place in (str(tmp_path / "a.json"), "memory://b/a.json"):
        if create and is_url(place):
            store.refusals.append(create)  # of a store, or an fsspec, without conditional writes
        remote.write_new(place, b"one")
        remote.write_new(place, b"two")
        assert remote.read_bytes(place, 10) == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(NumPyCLIPError, match=r"no/a: cannot be written"):
        remote.write_new(str(tmp_path / "no" / "a"), b"")


@pytest.mark.parametrize("error", [TimeoutError(), OSError(errno.EBUSY, "a conflicting operation is in progress")])
def test_a_new_file_is_never_written_without_the_condition_that_it_is_new(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    system = type(file_systems.file_system("memory://b")[0])
    pipe_file, modes = system.pipe_file, list[str]()

    def noted(self: Any, path: str, content: bytes, mode: str = "overwrite") -> None:
        modes.append(mode)
        pipe_file(self, path, content, mode=mode)

    monkeypatch.setattr(system, "pipe_file", noted)
    store.refusals.append(error)
    remote.write_new("memory://b/a.json", b"one")
    assert modes == ["create", "create"]
    assert store.get("memory://b/a.json") == b"one"


def test_a_new_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, synced = os.fsync, list[int]()

    def noted(descriptor: int) -> None:
        assert not (tmp_path / "a").exists()
        synced.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    remote.write_new(str(tmp_path / "a"), CONTENT)
    assert synced == [len(CONTENT)]


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


def test_a_store_that_is_busy_is_asked_again_to_remove(store: ObjectStore) -> None:
    url = store.put("memory://b/a", b"")
    store.refusals = [TimeoutError(), OSError("503 slow down")]
    remote.remove(url)
    assert not remote.exists(url)
    store.refusals = [TimeoutError() for _ in range(5)]
    with pytest.raises(NumPyCLIPError, match=r"^memory://b/a: cannot be removed \(TimeoutError\)") as raised:
        remote.remove(url)
    assert not isinstance(raised.value, InputError)  # which would be of what is read


def test_what_is_not_there_is_removed_without_the_right_to_remove(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Access Denied")

    monkeypatch.setattr(type(file_systems.file_system("memory://b")[0]), "rm_file", forbidden)
    remote.remove("memory://b/none")
    with pytest.raises(NumPyCLIPError, match="cannot be removed"):
        remote.remove(store.put("memory://b/a", b""))


def test_a_folder_that_cannot_be_listed_is_not_taken_for_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    scandir = os.scandir

    def stale(folder: str) -> Any:
        if str(folder).endswith("in"):
            raise OSError(errno.ESTALE, "Stale file handle", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", stale)
    place = str(tmp_path / "in")
    for listed in (remote.names, remote.listing, lambda _: remote.listing(str(tmp_path), recursive=True)):
        with pytest.raises(InputError, match=r"in: cannot be read \(Stale file handle\)\."):
            listed(place)
