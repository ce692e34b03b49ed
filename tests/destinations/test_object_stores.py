"""A real object store: S3, as moto serves it on this machine."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip import remote
from numpyclip.destinations.read import read_embeddings
from numpyclip.destinations.row import OutputRow
from numpyclip.destinations.write import open_destination
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.sources.part import ReadOptions
from numpyclip.sources.plan import plan
from numpyclip.sources.read import read_part
from tests.shard_files import parquet, tar


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    fsspec = pytest.importorskip("fsspec", reason="URLs need fsspec")
    pytest.importorskip("s3fs", reason="s3:// URLs need s3fs")
    moto = pytest.importorskip("moto.server", reason="an S3 server needs moto[server]")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3").mkdir("bucket")
        yield "s3://bucket"
        fsspec.filesystem("s3").clear_instance_cache()
    server.stop()


def upload(url: str, content: bytes, folder: Path) -> None:
    (folder / "file").write_bytes(content)
    remote.put(folder / "file", url)


def test_shards_are_found_and_read(bucket: str, tmp_path: Path) -> None:
    contents = [bytes([number]) * 300_000 for number in range(40)]
    for shard in range(2):
        part = contents[shard * 20 : shard * 20 + 20]
        archive, table = {f"{n}.jpg": content for n, content in enumerate(part)}, {"image": part}
        upload(f"{bucket}/in/{shard}.tar", tar(archive), tmp_path)
        upload(f"{bucket}/tables/{shard}.parquet", parquet(table, group=10, compression="none"), tmp_path)
    options = ReadOptions("images")
    for source in (f"{bucket}/in", f"{bucket}/in/*.tar", f"{bucket}/in/{{0..1}}.tar", f"{bucket}/tables"):
        rows = [row for part in plan(source, options) for row in read_part(part, options)]
        assert [row.content for row in rows] == contents


def test_files_are_written_whole_and_listed(bucket: str, tmp_path: Path) -> None:
    assert remote.listing(f"{bucket}/out") == []
    upload(f"{bucket}/out/part", bytes(6 << 20), tmp_path)  # of several requests
    remote.write_new(f"{bucket}/out/manifest.json", b"{}")
    remote.write_new(f"{bucket}/out/manifest.json", b"another")
    assert remote.listing(f"{bucket}/out") == [f"{bucket}/out/manifest.json", f"{bucket}/out/part"]
    assert remote.read_bytes(f"{bucket}/out/manifest.json", 9) == b"{}"
    assert (remote.exists(f"{bucket}/out"), remote.exists(f"{bucket}/none")) == (True, False)


def test_what_others_upload_is_found(bucket: str) -> None:
    s3fs = pytest.importorskip("s3fs")

    other = s3fs.S3FileSystem(skip_instance_cache=True)
    for number in range(2):
        other.pipe_file(f"{bucket}/growing/{number}.tar", b"")
        expected = [f"{bucket}/growing/{n}.tar" for n in range(number + 1)]
        assert remote.glob(f"{bucket}/growing/*.tar") == remote.listing(f"{bucket}/growing") == expected
    assert remote.listing("s3a://bucket/growing") == ["s3a://bucket/growing/0.tar", "s3a://bucket/growing/1.tar"]


def test_a_folder_that_was_made_by_hand_is_empty(bucket: str) -> None:
    s3fs = pytest.importorskip("s3fs")

    s3fs.S3FileSystem().call_s3("put_object", Bucket="bucket", Key="made/", Body=b"")  # as S3's console does
    assert remote.names(f"{bucket}/made") == remote.names(f"{bucket}/made/") == []
    s3fs.S3FileSystem().pipe_file("bucket/made/in/a.npy", b"")
    assert remote.names(f"{bucket}/made") == ["in"]


def test_a_small_file_costs_two_requests(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3fs = pytest.importorskip("s3fs")

    upload(f"{bucket}/small", bytes(300_000), tmp_path)
    call, requests = s3fs.S3FileSystem._call_s3, list[str]()

    async def counted(system: Any, method: str, *arguments: Any, **options: Any) -> Any:
        requests.append(method)
        return await call(system, method, *arguments, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", counted)
    assert remote.read_bytes(f"{bucket}/small", 300_000) == bytes(300_000)
    assert requests == ["head_object", "get_object"]


def test_an_object_that_changes_while_it_is_read_is_not_mixed(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numpyclip.file_systems.sleep", lambda seconds: None)
    upload(f"{bucket}/changing", bytes(12 << 20), tmp_path)
    with remote.open_stream(f"{bucket}/changing") as stream:
        stream.read(1 << 20)
        upload(f"{bucket}/changing", bytes([1]) * (12 << 20), tmp_path)
        with pytest.raises(InputError, match="has changed while it was read"):
            stream.read()


def test_what_is_not_there_is_told(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"s3://bucket/none.tar: cannot be read \(there is no such file\)"):
        remote.open_stream(f"{bucket}/none.tar")
    with pytest.raises(NumPyCLIPError, match=r"s3://other/a: cannot be written"):
        upload("s3://other/a", b"", tmp_path)


KILLED = """
import os, signal, sys
import numpy as np
import s3fs
from numpyclip.destinations.row import OutputRow
from numpyclip.destinations.write import open_destination
call = s3fs.S3FileSystem._call_s3

async def killed(system, method, *arguments, **options):
    if method == "put_object" and options["Key"].endswith(".parquet"):  # the last file of a part
        os.kill(os.getpid(), signal.SIGKILL)
    return await call(system, method, *arguments, **options)

s3fs.S3FileSystem._call_s3 = killed
rows = [OutputRow(str(n), np.eye(1, 4, dtype=np.float32)[0], {}, None) for n in range(3)]
open_destination(sys.argv[1], sys.argv[2], "float32", 4, "images").write(0, rows)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX")
@pytest.mark.parametrize("layout", ["parquet", "clip-retrieval"])
def test_a_process_killed_while_it_uploads_leaves_no_part(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Any
) -> None:
    pytest.importorskip("pyarrow")
    place = f"{bucket}/{layout}"
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", KILLED, place, layout])
    assert ended.returncode == -signal.SIGKILL
    destination = open_destination(place, layout, "float32", 4, "images")
    assert destination.done() == set()
    vectors = np.eye(4, dtype=np.float32)
    rows = [OutputRow(str(number), vector, {}, None) for number, vector in enumerate(vectors)]
    assert destination.write(0, rows) == (4, 0)
    assert destination.done() == {0}
    ((keys, embeddings, _),) = read_embeddings(place)
    assert keys == [str(Path.cwd() / str(number)) for number in range(4)]
    np.testing.assert_array_equal(embeddings, vectors)
    assert list(tmp_path.iterdir()) == []
    assert len(remote.listing(place, recursive=True)) == (1 if layout == "parquet" else 2)
