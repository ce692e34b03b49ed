"""Files of parts in an object store: uploaded when they are complete."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from pyarrow.parquet import read_table

from numpyclip import remote
from numpyclip.destinations.new_file import new_file
from numpyclip.destinations.parquet_parts import write_parquet
from numpyclip.destinations.row import OutputRow
from numpyclip.destinations.write import Layout, open_destination
from numpyclip.errors import InputError, NumPyCLIPError
from tests.object_store import ObjectStore

LAYOUTS: tuple[Layout, ...] = ("parquet", "clip-retrieval")
ROW = OutputRow("a.jpg", np.eye(1, 4, dtype=np.float32)[0], {}, None)


@pytest.fixture(autouse=True)
def _temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize("layout", ["parquet", "clip-retrieval"])
def test_parts_of_an_object_store_are_there_when_they_are_complete(
    store: ObjectStore, tmp_path: Path, layout: Any
) -> None:
    destination = open_destination("memory://bucket/out/", layout, "float32", 4, "images")
    assert destination.done() == set()

    def failing() -> Any:
        yield ROW
        assert remote.listing("memory://bucket", recursive=True) == []
        raise InputError("the end")

    with pytest.raises(InputError, match="the end"):
        destination.write(0, failing())
    assert remote.listing("memory://bucket", recursive=True) == []
    assert destination.write(3, [ROW, ROW]) == (2, 0)
    assert destination.done() == {3}
    (place,) = (each for each in remote.listing("memory://bucket", recursive=True) if each.endswith(".parquet"))
    with remote.open_stream(place) as stream:
        assert read_table(stream).num_rows == 2
    assert list(tmp_path.iterdir()) == []


def test_what_is_done_costs_one_listing(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        store.put(f"memory://bucket/out/part-{number:05d}.parquet", b"")
    monkeypatch.setattr(remote, "exists", None)
    found: list[str] = []
    listing = remote.listing

    def listed(place: str) -> list[str]:
        found.append(place)
        return listing(place)

    monkeypatch.setattr("numpyclip.destinations.parquet_parts.listing", listed)
    destination = open_destination("memory://bucket/out", "parquet", "float32", 4, "images")
    assert destination.done() == set(range(20))
    assert (found, store.opened) == (["memory://bucket/out"], 0)


def test_an_upload_that_fails_leaves_nothing_here_nor_there(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "retry_writing", lambda url, _: (_ for _ in ()).throw(NumPyCLIPError(f"{url}: no")))
    with pytest.raises(NumPyCLIPError, match="memory://bucket/a: no"), new_file("memory://bucket/a") as file:
        file.write(b"content")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_that_names_it(store: ObjectStore, tmp_path: Path) -> None:
    with (
        pytest.raises(NumPyCLIPError, match=rf"{tmp_path}/.*: cannot be written \(No space left"),
        new_file("memory://bucket/a"),
    ):
        raise OSError(28, "No space left on device")
    assert remote.listing("memory://bucket") == []


def test_a_disk_that_is_full_of_waiting_rows_is_named(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.ipc.new_stream", full)
    for layout in ("parquet", "clip-retrieval"):
        destination = open_destination("memory://bucket/out", layout, "float32", 4, "images")
        with pytest.raises(NumPyCLIPError, match=rf"^{tmp_path}: cannot be written \(No space left"):
            destination.write(0, [ROW])


@pytest.mark.parametrize("kind", ["file", "local", "sftp", "smb", "hdfs", "ftp", "zip", "simplecache::s3"])
def test_a_url_where_half_a_file_could_stay_is_refused_before_anything_is_embedded(
    store: ObjectStore, tmp_path: Path, kind: str
) -> None:
    url, expected = f"{kind}://{tmp_path.as_posix()}/new", r"cannot be written atomically; expected .* URL of s3, .*gs"
    with pytest.raises(InputError, match=expected):
        write_parquet(f"{url}.parquet", iter(lambda: pytest.fail("embedded"), None), "float32", 4, None, "images")
    for layout in LAYOUTS:
        with pytest.raises(InputError, match=expected):
            open_destination(url, layout, "float32", 4, "images").write(0, [ROW])
    assert list(tmp_path.iterdir()) == []
