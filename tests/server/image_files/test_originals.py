import http.client
import io
import json
import os
import shutil
import socket
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.exif import Exif
from numpyclip.index.index import Index
from numpyclip.index.records import WHOLE
from numpyclip.server.image_files import downloads
from numpyclip.server.image_files.originals import disposition
from numpyclip.server.inference.thread_pools import ThreadPools
from tests.index.filled import made_index
from tests.server.conftest import Client, Png, Serve


def address_of(client: Client, name: str) -> str:
    (match,) = [match for match in client.get("/search?n=99").json["matches"] if match["name"] == name]
    return f"/{match['original']}"


def test_an_original_is_the_file_itself(client: Client, drawings: Path) -> None:
    data = (drawings / "bird.jpg").read_bytes()
    answer = client.get(address_of(client, "bird.jpg"))
    assert (answer.status, answer.body) == (200, data)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Length"] == str(len(data))
    assert answer.headers["Content-Disposition"] == "inline; filename=\"bird.jpg\"; filename*=UTF-8''bird.jpg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and policy.endswith("; sandbox allow-same-origin")  # for a video
    assert answer.headers["Accept-Ranges"] == "bytes"
    saved = client.get(address_of(client, "bird.jpg") + "?download=1")
    assert saved.headers["Content-Disposition"].startswith("attachment;")
    head = client("HEAD", address_of(client, "bird.jpg"))
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(data)))
    again = client.get(address_of(client, "bird.jpg"), If_None_Match=answer.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    tag = answer.headers["ETag"]
    for known in ("*", f"W/{tag}", f'"other", {tag}', f'"other",W/{tag}'):
        assert client.get(address_of(client, "bird.jpg"), If_None_Match=known).status == 304, known
    for unknown in ("", '"other"', tag[:-1], f"x{tag}"):
        assert client.get(address_of(client, "bird.jpg"), If_None_Match=unknown).status == 200, unknown


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-", 0, None),
        ("bytes=0-9", 0, 10),
        ("bytes=100-", 100, None),
        ("bytes=-7", -7, None),
        ("bytes=5-999999999999999999", 5, None),
        ("bytes=-999999999999999999", 0, None),
    ],
)
def test_ranges_of_bytes(client: Client, drawings: Path, asked: str, start: int, stop: int | None) -> None:
    data = (drawings / "bird.jpg").read_bytes()
    answer = client.get(address_of(client, "bird.jpg"), Range=asked)
    part = data[start:stop]
    first = data.index(part) if start < 0 else start
    assert (answer.status, answer.body) == (206, part)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(data)}"


@pytest.mark.parametrize("asked", ["bytes=999999-", "bytes=-0"])
def test_ranges_that_there_are_not(client: Client, drawings: Path, asked: str) -> None:
    size = (drawings / "bird.jpg").stat().st_size
    answer = client.get(address_of(client, "bird.jpg"), Range=asked)
    assert (answer.status, answer.headers["Content-Range"], answer.body) == (416, f"bytes */{size}", b"")


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,3-4",
        "bytes=9-3",
        "bytes=" + "0-1," * 5000,
        "bytes=-",
        "bytes=a-b",
        "lines=0-1",
        f"bytes={'9' * 30}-",
        "0-1",
    ],
)
def test_other_ranges_are_the_whole_file(client: Client, drawings: Path, asked: str) -> None:
    answer = client.get(address_of(client, "bird.jpg"), Range=asked)
    assert (answer.status, answer.body) == (200, (drawings / "bird.jpg").read_bytes())


def test_a_range_of_another_version_is_the_whole_file(client: Client) -> None:
    address = address_of(client, "bird.jpg")
    tag = client.get(address).headers["ETag"]
    assert client.get(address, Range="bytes=0-1", If_Range='"other"').status == 200
    assert client.get(address, Range="bytes=0-1", If_Range=tag).status == 206


def test_only_what_was_indexed_is_sent(serve: Serve, tiny: CLIP, tmp_path: Path, png: Png) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("changed", "gone", "link", "pipe"):
        (tmp_path / "photos" / f"{name}.png").write_bytes(png("bird") + name.encode())
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([tmp_path / "photos"])
    (tmp_path / "secret").write_bytes(b"secret")
    client = serve(store=str(tmp_path / "store"))
    addresses = {name: address_of(client, f"{name}.png") for name in ("changed", "gone", "link", "pipe")}
    (tmp_path / "photos/changed.png").write_bytes(b"secret")
    for name in ("gone", "link", "pipe"):
        (tmp_path / f"photos/{name}.png").unlink()
    (tmp_path / "photos/link.png").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "photos/pipe.png")
    for name, address in addresses.items():
        answer = client.get(address)
        assert (answer.status, "is missing, or has changed since it was indexed" in answer.message) == (404, True), name
    for path in ("/original/../../etc/passwd", "/original/0", f"/original/{10**40}", "/original/x", "/original/-1"):
        assert client.get(path).status == 404, path


def test_originals_need_the_token_and_may_be_kept_back(serve: Serve) -> None:
    client = serve(token="sesame")
    assert client.get("/original/1").status == 401
    assert client.get("/original/1", Authorization="Bearer sesame").status == 200
    client = serve(originals=False)
    assert "original" not in client.get("/search").json["matches"][0]
    assert client.get("/original/1").status == 404
    assert client.post("/download", {"ids": [1]}).status == 404


def test_names_of_files_are_no_headers() -> None:
    for name in ('a"b.jpg', "a\r\nSet-Cookie: x.jpg", "é中.jpg", "\udcff.jpg", "a;b.jpg"):
        written = disposition("inline", name)
        assert written.isascii() and "\r" not in written and "\n" not in written
        assert written.count('"') == 2 and written.count(";") == 2


def test_many_streams_leave_the_server_alive(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.server.http.streams._MAX_STREAMS", 0)
    answer = client.get("/original/1")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def test_a_zip_of_several_files(client: Client, drawings: Path) -> None:
    matches = client.get("/search?n=99").json["matches"]
    answer = client.form("/download", [("ids", ",".join(str(match["id"]) for match in matches))])
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="images.zip"')
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(matches)
        assert archive.read("bird.jpg") == (drawings / "bird.jpg").read_bytes()
        assert archive.getinfo("bird.jpg").date_time[0] >= 2020


def test_names_in_a_zip_are_unique_and_safe(serve: Serve, tiny: CLIP, tmp_path: Path, png: Png) -> None:
    accents = ("c/e\N{COMBINING ACUTE ACCENT}.png", "d/\xe9.png")
    names = ("a/x.png", "b/x.png", "c/X.png", "c/CON.png", *accents, "d/a\\b.png")
    for number, name in enumerate(names):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png("bird") + bytes([number]))
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([tmp_path / "photos"])
    client = serve(store=str(tmp_path / "store"))
    matches = sorted(client.get("/search").json["matches"], key=lambda match: match["path"])
    (tmp_path / "photos/a/x.png").write_bytes(b"changed")
    answer = client.post("/download", {"ids": [match["id"] for match in matches] + [12345]})
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        found = archive.namelist()
        assert len({name.casefold() for name in found}) == len(found) == len(names)
        assert {"x.png", "X (2).png", "_CON.png", "a_b.png", "not included.txt"} <= set(found)
        missing = archive.read("not included.txt").decode()
        assert "photos/a/x.png" in missing and "12345" in missing


@pytest.mark.parametrize("ids", ["", "x", "1,,2", "-1", [], [None], {"a": 1}, ["1"] * 10_001, "1," * 60_000])
def test_what_cannot_be_downloaded(client: Client, ids: object) -> None:
    answer = client.post("/download", {"ids": ids})
    assert (answer.status, answer.json["error"]["param"]) == (400, "ids")


def test_a_large_download_is_made_as_it_is_received(serve: Serve, tiny: CLIP, tmp_path: Path) -> None:
    client = serve(store=large_files(tmp_path, tiny))
    tracemalloc.start()
    with closing(http.client.HTTPConnection("127.0.0.1", client.port)) as connection:
        connection.request("POST", "/download", json.dumps({"ids": [1, 2, 3]}))
        response, received = connection.getresponse(), 0
        while block := response.read(1 << 16):
            received += len(block)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert received > 3 * LARGE
    assert most < LARGE / 4


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux lists open files there")
@pytest.mark.parametrize("path", ["/download", "/original/1"])
def test_a_download_that_is_broken_off_closes_its_file(serve: Serve, tiny: CLIP, tmp_path: Path, path: str) -> None:
    client = serve(store=large_files(tmp_path, tiny))
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        body = b'{"ids": [1, 2, 3]}' if path == "/download" else b""
        head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        received = 0
        while received < LARGE // 16:
            received += len(connection.recv(1 << 16))
        assert are_open(tmp_path)
    for _ in range(10_000):
        assert client.get("/healthz").status == 200
        if not are_open(tmp_path):
            return
    pytest.fail("a file is still open")


LARGE = 16 << 20  # bytes


def large_files(folder: Path, tiny: CLIP) -> str:
    """Make an index of three large files, which take no space."""
    pictures = {}
    for number, embedding in enumerate(tiny.embed_texts(["a bird", "a house", "a cookie"])):
        path = folder / f"large {number}.jpg"
        path.touch()
        os.truncate(path, LARGE)
        pictures[str(path)] = Exif(4, 3), {WHOLE: embedding}
    return made_index(str(folder / "store"), tiny, pictures)


def are_open(folder: Path) -> bool:
    """Tell whether this process has any of these files open."""
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if entry.readlink().parent == folder and entry.readlink().suffix == ".jpg":
                return True
    return False


def test_a_number_that_another_image_has_got_leads_to_nothing(serve: Serve, tiny: CLIP, tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "a.jpg"
    photo.parent.mkdir()
    exif = Image.Exif()
    exif[0x0132] = "2024:05:01 12:00:00"  # the date that is shown stays the same
    place, before = str(tmp_path / "store"), {}
    client = serve(store=place)
    for colour in ("red", "blue"):
        Image.new("RGB", (40, 40), colour).save(photo, exif=exif)
        shutil.rmtree(place, ignore_errors=True)
        with Index(place, tiny, create=True) as index:
            index.update([photo.parent])
        client = serve(store=place)
        (match,) = client.get("/search").json["matches"]
        if colour == "red":
            before = match
            assert client.get(f"/{match['thumbnail']}").status == client.get(f"/{match['original']}").status == 200
    assert match["id"] == before["id"]
    for address in ("thumbnail", "original"):
        assert match[address] != before[address]
        assert client.get(f"/{match[address]}").status == 200
        answer = client.get(f"/{before[address]}")
        assert (answer.status, "now belongs to another image" in answer.message) == (404, True)
    answer = client.post("/download", {"ids": [match["key"], before["key"], match["key"]]})
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.namelist() == ["a.jpg", "not included.txt"]
        assert b"now belongs to another image" in archive.read("not included.txt")


def test_what_is_missing_is_looked_for_one_after_the_other(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that goes away ends it, and others have a turn."""
    turns = []

    async def run(self: ThreadPools, function: Callable[..., Any], *arguments: Any) -> Any:
        turns.append(function)
        return function(*arguments)

    monkeypatch.setattr(ThreadPools, "run", run)
    answer = client.post("/download", {"ids": [*range(1000, 1100)]})
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.read("not included.txt").count(b"\n") == 99
    assert len(turns) > 100


def test_a_link_leads_only_to_what_was_indexed(serve: Serve, tiny: CLIP, tmp_path: Path, png: Png) -> None:
    photos, kept = tmp_path / "photos", tmp_path / "elsewhere.png"
    photos.mkdir()
    kept.write_bytes(png("house"))
    (photos / "link.png").symlink_to(kept)
    (photos / "steal.png").write_bytes(png("bird"))
    state = (photos / "steal.png").stat()
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([photos])
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"top secret".ljust(state.st_size))
    os.utime(secret, ns=(state.st_mtime_ns, state.st_mtime_ns))  # as an attacker does with the picture
    (photos / "steal.png").unlink()
    (photos / "steal.png").symlink_to(secret)
    client = serve(store=str(tmp_path / "store"))
    for _ in range(2):
        assert client.get(address_of(client, "link.png")).body == png("house")
        assert client.get(address_of(client, "steal.png")).status == 404
    secret.write_bytes(png("bird"))
    os.utime(secret, ns=(state.st_mtime_ns, state.st_mtime_ns))
    assert client.get(address_of(client, "steal.png")).body == png("bird")
    kept.write_bytes(b"top secret".ljust(len(png("house"))))
    assert client.get(address_of(client, "link.png")).status == 404


def test_a_file_that_was_cut_short_is_named_in_a_zip(
    serve: Serve, tiny: CLIP, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(store=large_files(tmp_path, tiny))
    for method, path, body in (("POST", "/download", '{"ids": [1]}'), ("GET", "/original/2", None)):
        with closing(http.client.HTTPConnection("127.0.0.1", client.port)) as connection:
            connection.request(method, path, body)
            response = connection.getresponse()
            received = response.read(1 << 16)
            os.truncate(tmp_path / ("large 0.jpg" if body else "large 1.jpg"), 0)
            with suppress(http.client.IncompleteRead):
                received += response.read()
        if body:
            with zipfile.ZipFile(io.BytesIO(received)) as archive:
                assert b"large 0.jpg: has changed while it was sent" in archive.read("not included.txt")
    assert len(received) < LARGE
    assert "large 1.jpg: has changed while it was sent" in caplog.text
    assert "Traceback" not in caplog.text


def test_names_in_a_zip_are_no_longer_than_in_file_systems() -> None:
    names = downloads._Names()
    for suffix in (".jpg", "." + "x" * 249, ""):
        for letter in ("a", "\N{SNOWMAN}"):
            name = letter * ((255 - len(suffix)) // len(letter.encode())) + suffix
            found = [names.unique(name) for _ in range(12)]
            assert len(set(found)) == 12
            assert all(len(each.encode()) <= 255 for each in found)
            if len(suffix) < 5:
                assert all(each.endswith(suffix) for each in found)


def test_who_takes_nothing_gives_way(serve: Serve, tiny: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(store=large_files(tmp_path, tiny))
    monkeypatch.setattr("numpyclip.server.http.streams._MAX_STREAMS", 1)
    monkeypatch.setattr("numpyclip.server.http.streams._PATIENCE", 0)
    with socket.create_connection(("127.0.0.1", client.port)) as idle:
        idle.sendall(b"GET /original/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(100).startswith(b"HTTP/1.1 200 ")
        for _ in range(10_000):
            answer = client.get("/original/2")
            if answer.status == 200:
                break
            assert answer.status == 503
        assert len(answer.body) == LARGE
        received = 0
        with suppress(ConnectionError):
            while block := idle.recv(1 << 20):
                received += len(block)
        assert received < LARGE
