"""Archives become rows: every sample one, whatever is in it."""

from __future__ import annotations

import gzip
import json
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import InputError
from numpyclip.sources import webdataset
from numpyclip.sources.part import Part, ReadOptions, Row
from numpyclip.sources.webdataset import read_webdataset
from tests.object_store import ObjectStore
from tests.shard_files import tar

IMAGES = ReadOptions("images")
TEXTS = ReadOptions("texts")


def read(source: Path | str, options: ReadOptions = IMAGES) -> list[Row]:
    return list(read_webdataset(Part(0, "webdataset", str(source)), options))


def shard(tmp_path: Path, files: dict[str, bytes]) -> Path:
    path = tmp_path / "00000.tar"
    path.write_bytes(tar(files))
    return path


def test_samples_are_rows_with_what_is_beside_them(tmp_path: Path) -> None:
    facts = {"key": "000", "caption": "other", "width": 3, "exif": {"a": [1]}, "big": 2**70, "embedding": None}
    path = shard(
        tmp_path,
        {"s/000.jpg": b"A", "s/000.txt": b" a dog\n", "s/000.json": json.dumps(facts).encode(), "s/001.png": b"B"},
    )
    first, second = read(path)
    assert (first.key, first.content, first.error) == (f"{path}/s/000", b"A", None)
    assert first.columns == {
        "caption": "a dog",
        "key": "000",
        "source_caption": "other",
        "width": 3,
        "exif": {"a": [1]},
        "big": 2**70,
        "embedding": None,
    }
    assert (second.key, second.content, second.columns) == (f"{path}/s/001", b"B", {})


def test_columns_can_be_chosen(tmp_path: Path) -> None:
    facts = json.dumps({"width": 3, "height": 4}).encode()
    path = shard(tmp_path, {"0.jpg": b"A", "0.txt": b"a dog", "0.json": facts, "1.jpg": b"B"})
    rows = read(path, ReadOptions("images", columns=("caption", "width")))
    assert [row.columns for row in rows] == [{"caption": "a dog", "width": 3}, {"caption": None, "width": None}]
    assert read(path, ReadOptions("images", columns=()))[0].columns == {}


def test_texts_are_captions_or_in_json(tmp_path: Path) -> None:
    path = shard(
        tmp_path,
        {
            "0.jpg": b"A",
            "0.txt": b"a dog\n",
            "1.json": b'{"text": "a cat", "n": 1}',
            "2.jpg": b"C",
            "3.json": b'{"caption": ["no", "string"]}',
            "4.txt": b" ",
        },
    )
    rows = read(path, TEXTS)
    assert [(row.content, row.columns) for row in rows[:2]] == [
        ("a dog", {"caption": "a dog"}),
        ("a cat", {"caption": "a cat", "n": 1}),
    ]
    assert [row.content for row in rows[2:]] == [None, None, None]
    assert "3: has no text; expected .txt, or a string caption in .json" in str(rows[3].error)
    assert read(path, ReadOptions("texts", column="text"))[1].content == "a cat"
    assert read(path, ReadOptions("texts", column="caption"))[0].content == "a dog"
    assert "a string text in .json" in str(read(path, ReadOptions("texts", column="text"))[0].error)


def test_every_sample_is_a_row_with_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdataset, "MOST_BYTES", 10)
    path = shard(
        tmp_path,
        {
            "a.txt": b"no picture",
            "d.jpg": b"D" * 11,
            "e.npy": b"neither image nor text",
            "f.jpg": b"F",
        },
    )
    rows = read(path)
    assert [row.key.rpartition("/")[2] for row in rows] == ["a", "d", "f"]
    assert [row.content for row in rows] == [None, None, b"F"]
    expected = ("has no image, only txt", "has 11 bytes; expected 10 at most")
    assert all(words in str(row.error) for words, row in zip(expected, rows, strict=False))


@pytest.mark.parametrize(
    ("suffix", "content", "columns"),
    [
        ("json", b"[[[", {"cls": "1"}),
        ("json", json.dumps(dict.fromkeys(map(str, range(300)), 0)).encode(), {"cls": "1"}),
        ("txt", b"caf\xe9", {"cls": "1", "caption": "caf\\xe9"}),
        ("txt", b"t" * 1001, {"cls": "1"}),
    ],
)
def test_an_image_is_not_lost_for_what_is_beside_it(
    suffix: str, content: bytes, columns: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webdataset, "_MOST_TEXT", 1000 if suffix == "txt" else 10_000)
    (row,) = read(shard(tmp_path, {"a.jpg": b"A", "a.cls": b"1", f"a.{suffix}": content}))
    assert (row.content, row.columns, row.error) == (b"A", columns, None)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.txt": b"\xff"}, "is not UTF-8"),
        ({"a.json": b"[[["}, "its .json is not JSON"),
        ({"a.txt": b"t" * 1001}, "has 1001 bytes; expected 1000 at most"),
    ],
)
def test_a_text_that_cannot_be_read_is_a_row_that_says_why(
    files: dict[str, bytes], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webdataset, "_MOST_TEXT", 1000)
    (row,) = read(shard(tmp_path, files), TEXTS)
    assert row.content is None
    assert words in str(row.error)


def test_images_that_are_not_needed_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdataset, "MOST_BYTES", 10)
    path = shard(tmp_path, {"a.jpg": b"A" * 11, "a.txt": b"a dog"})
    assert [row.content for row in read(path, TEXTS)] == ["a dog"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"GNU.sparse.size": "9999999", "GNU.sparse.offset": "0", "GNU.sparse.numbytes": "1"},
        {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9999999"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9999999"},
    ],
    ids=["old GNU", "PAX 0.0", "PAX 0.1", "PAX 1.0"],
)
def test_sparse_files_are_refused(headers: dict[str, str], tmp_path: Path) -> None:
    """A few bytes would stand for any number of zeros."""
    member = tarfile.TarInfo("c.jpg")
    member.pax_headers = headers
    if not headers:
        member.type = tarfile.GNUTYPE_SPARSE
    path = tmp_path / "00000.tar"
    path.write_bytes(tar({"a.jpg": b"A", "b.jpg": b"B"})[:2048] + member.tobuf(tarfile.PAX_FORMAT) + bytes(10240))
    whole, sparse = read(path)
    assert (whole.content, sparse.content) == (b"A", None)
    assert "00000.tar: damaged after 'b' (it has a sparse file)" in str(sparse.error)


@pytest.mark.parametrize("depth", range(300, 1100, 40))
def test_metadata_may_be_nested_at_any_depth(tmp_path: Path, depth: int) -> None:
    (row,) = read(shard(tmp_path, {"a.jpg": b"A", "a.json": b'{"a": ' + b"[" * depth + b"]" * depth + b"}"}))
    assert row.content == b"A" or "its .json is " in str(row.error)


def test_metadata_may_be_a_value(tmp_path: Path) -> None:
    assert read(shard(tmp_path, {"0.jpg": b"A", "0.json": b'"x"'}))[0].columns == {"label": "x"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_damaged_archive_gives_the_rows_before_and_one_with_the_error(tmp_path: Path, pack: Any) -> None:
    files = {f"{number}.jpg": b"A" * 700 for number in range(9)}
    whole = pack(tar(files))
    path = tmp_path / "00000.tar"
    path.write_bytes(whole[: len(whole) // 2])
    *rows, last = read(path)
    assert 0 <= len(rows) < 9
    assert all(row.error is None for row in rows)
    assert (last.key, last.content) == (str(path), None)
    assert "00000.tar: damaged after" in str(last.error)


def members(path: Path, *files: tuple[str, bytes, int | None]) -> Path:
    """An archive whose headers may say that files are larger than they are, or there twice."""
    content = b""
    for name, data, size in files:
        member = tarfile.TarInfo(name)
        member.size = len(data) if size is None else size
        content += member.tobuf(tarfile.GNU_FORMAT) + data.ljust(512, b"\0")
    path.write_bytes(content + bytes(10240))
    return path


@pytest.mark.parametrize("options", [IMAGES, TEXTS])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_that_is_said_to_be_endless_ends_with_the_archive(tmp_path: Path, options: Any, pack: Any) -> None:
    path = members(tmp_path / "a.tar", ("a.jpg", b"A", None), ("a.txt", b"a dog", None), ("b.jpg", b"", 2**62))
    path.write_bytes(pack(path.read_bytes()))
    whole, damaged = read(path, options)
    assert whole.columns == {"caption": "a dog"}
    assert "a.tar: damaged after 'b' (" in str(damaged.error)


@pytest.mark.parametrize("padding", [0, 10**6])
def test_the_checksum_of_a_compressed_archive_is_read(tmp_path: Path, padding: int) -> None:
    content = bytearray(gzip.compress(tar({"a.jpg": b"A", "b.jpg": b"B"}) + bytes(padding)))
    content[-8] ^= 1
    (tmp_path / "a.tar.gz").write_bytes(content)
    *rows, last = read(tmp_path / "a.tar.gz")
    assert [row.content for row in rows] == [b"A", b"B"]
    assert "damaged after 'b' (CRC check failed" in str(last.error)


def test_files_of_one_name_are_samples_of_one_key(tmp_path: Path) -> None:
    files = [(name, name.encode() + b"%d" % n, None) for n, name in enumerate(["a.jpg", "a.png", "a.jpg", "a.txt"])]
    path = members(tmp_path / "a.tar", *files, *files[-2:])
    found = [(row.key, row.content, row.columns.get("caption")) for row in read(path)]
    assert found == [(f"{path}/a", b"a.jpg0", None)] + [(f"{path}/a", b"a.jpg2", "a.txt3")] * 2
    assert [row.content for row in read(path, TEXTS)][1:] == ["a.txt3"] * 2


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_archive_of_nothing_is_a_row_that_says_so(tmp_path: Path, pack: Any) -> None:
    (tmp_path / "a.tar").write_bytes(pack(bytes(10240)))
    (row,) = read(tmp_path / "a.tar")
    assert (row.key, row.error) == (f"{tmp_path}/a.tar", f"{tmp_path}/a.tar: has no files; expected images or texts.")


def test_a_long_name_is_a_row_and_the_next_is_read(tmp_path: Path) -> None:
    path = shard(tmp_path, {"a.jpg": b"A", f"{'b/' * 3000}b.jpg": b"B", "c.jpg": b"C"})
    rows = read(path)
    assert [row.content for row in rows] == [b"A", None, b"C"]
    assert "its name has 6005 characters; expected at most 4096" in str(rows[1].error)


@pytest.mark.parametrize("name", ["a" * 5000, "../../etc/passwd", "/etc/passwd", "CON", "\udce9", "a\nb", ""])
def test_names_of_members_are_only_names(tmp_path: Path, name: str) -> None:
    for row in read(shard(tmp_path, {f"{name}.jpg": b"A"})):
        assert row.key.startswith(f"{tmp_path}/00000.tar/") or row.error
        assert len(row.key) < 5000


def test_hidden_files_are_none_and_divide_no_sample(tmp_path: Path) -> None:
    path = shard(tmp_path, {"s/._a.jpg": b"X", "s/a.jpg": b"A", "s/._a.txt": b"X", ".jpg": b"X", "s/a.txt": b"a dog"})
    assert [(row.key, row.content, row.columns) for row in read(path)] == [(f"{path}/s/a", b"A", {"caption": "a dog"})]


def test_an_archive_that_is_not_there_is_no_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.tar: cannot be read"):
        read(tmp_path / "none.tar")


def test_a_connection_that_breaks_costs_no_row_and_doubles_none(store: ObjectStore) -> None:
    files = {f"{number:03d}.jpg": bytes([number]) * 5000 for number in range(100)}
    url = store.put("memory://shards/00000.tar", tar(files))
    expected = [(f"{url}/{number:03d}", bytes([number]) * 5000) for number in range(100)]
    for size in (10_240, 100_000, 3):
        store.breaks = [size] * 4
        assert [(row.key, row.content) for row in read(url)] == expected


def test_a_connection_that_stays_broken_is_no_damaged_archive(store: ObjectStore) -> None:
    """A part that is written with this error would never be tried again."""
    url = store.put("memory://shards/00000.tar", tar({f"{n:03d}.jpg": b"A" * 5000 for n in range(100)}))
    store.breaks = [100_000] + [0] * 10
    rows = read_webdataset(Part(0, "webdataset", url), IMAGES)
    with pytest.raises(InputError, match=r"cannot be read \(the connection was reset\)"):
        list(rows)


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    path = shard(tmp_path, {f"{number:05d}.jpg": b"A" * 600 for number in range(2000)})
    rows = read_webdataset(Part(0, "webdataset", str(path)), IMAGES)
    next(rows)
    tracemalloc.start()
    try:
        assert sum(1 for _ in rows) == 1999
        assert tracemalloc.get_traced_memory()[1] < 400_000  # kept members would be 1 MB
    finally:
        tracemalloc.stop()
