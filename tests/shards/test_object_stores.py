"""A real object store: S3, as moto serves it on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from numpyclip import remote
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.shards.part import ReadOptions
from numpyclip.shards.plan import plan
from numpyclip.shards.read import read_part
from tests.shards.shard_files import parquet, tar


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


def test_shards_are_found_and_read(bucket: str) -> None:
    contents = [bytes([number]) * 300_000 for number in range(40)]
    for shard in range(2):
        part = contents[shard * 20 : shard * 20 + 20]
        remote.write_bytes(f"{bucket}/in/{shard}.tar", tar({f"{n}.jpg": content for n, content in enumerate(part)}))
        remote.write_bytes(f"{bucket}/tables/{shard}.parquet", parquet({"image": part}, group=10, compression="none"))
    options = ReadOptions("images", rows=10)
    for source in (f"{bucket}/in", f"{bucket}/in/*.tar", f"{bucket}/in/{{0..1}}.tar", f"{bucket}/tables"):
        rows = [row for part in plan(source, options) for row in read_part(part, options)]
        assert [row.content for row in rows] == contents


def test_files_are_written_whole_and_listed(bucket: str) -> None:
    assert remote.listing(f"{bucket}/out") == []
    remote.write_bytes(f"{bucket}/out/manifest.json", b"{}")
    assert remote.listing(f"{bucket}/out") == [f"{bucket}/out/manifest.json"]
    assert (remote.size(f"{bucket}/out/manifest.json"), remote.size(f"{bucket}/out/none")) == (2, None)
    assert (remote.exists(f"{bucket}/out"), remote.exists(f"{bucket}/none")) == (True, False)


def test_what_is_not_there_is_told(bucket: str) -> None:
    with pytest.raises(InputError, match=r"s3://bucket/none.tar: cannot be read \(there is no such file\)"):
        remote.open_stream(f"{bucket}/none.tar")
    with pytest.raises(NumPyCLIPError, match=r"s3://other/a: cannot be written"):
        remote.write_bytes("s3://other/a", b"")
