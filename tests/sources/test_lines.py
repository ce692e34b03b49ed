"""Lists of paths and of texts, one a line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from numpyclip.errors import InputError
from numpyclip.sources.lines import lines, read_lines
from numpyclip.sources.part import Part, ReadOptions, Row
from tests.object_store import ObjectStore


def read(source: Path | str, kind: str, start: int = 0, stop: int | None = None) -> list[Row]:
    options = ReadOptions("images" if kind == "images" else "texts")
    return list(read_lines(Part(0, "lines", str(source), start, stop), options))


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    return path


def test_texts_are_lines_by_the_byte_where_they_begin(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xef\xbb\xbfa dog\r\n\n  \nb \xff\n a cat \nlast")
    rows = read(path, "texts")
    assert [(row.key, row.content) for row in rows] == [
        (f"{path}/0", "a dog"),
        (f"{path}/14", None),
        (f"{path}/18", " a cat "),
        (f"{path}/26", "last"),
    ]
    assert rows[0].columns == {"caption": "a dog"}
    assert str(rows[1].error).endswith(
        "list.txt: the line at byte 14 is not UTF-8 (invalid start byte). Save the list as UTF-8."
    )


def test_parts_of_a_list_are_its_lines(tmp_path: Path) -> None:
    path = write(tmp_path, b"".join(b"line %d\n\n" % number for number in range(100)))
    whole = [(row.key, row.content) for row in read(path, "texts")]
    with path.open("rb") as stream:
        middle = [start for start, _, _ in lines(stream, str(path))][40]
    halves = read(path, "texts", 0, middle) + read(path, "texts", middle)
    assert [(row.key, row.content) for row in halves] == whole
    assert [content for _, content in whole] == [f"line {number}" for number in range(100)]


def test_a_line_without_end_is_a_row_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.sources.lines._MOST_LINE", 1000)
    path = write(tmp_path, b"a" * 1000 + b"\n" + b"b" * 5000 + b"\nc\n" + b"d" * 9000)
    rows = read(path, "texts")
    assert [row.content for row in rows] == ["a" * 1000, None, "c", None]
    assert "the line at byte 1001 has more than" in str(rows[1].error)


def test_what_has_no_lines_is_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.sources.lines._MOST_LINE", 1000)
    monkeypatch.setattr("numpyclip.sources.lines._MOST_SKIPPED", 2**20)
    with pytest.raises(InputError, match=r"the line at byte 2 has more than 1 MiB; expected one text or path a line"):
        read(write(tmp_path, b"a\n" + b"b" * 2**21), "texts")


def test_paths_are_relative_to_here_or_to_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lists").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("here.jpg", "both.jpg", "lists/both.jpg", "lists/beside.jpg"):
        Path(name).touch()
    path = write(tmp_path / "lists", b"here.jpg\nboth.jpg\nbeside.jpg\nnone.jpg\n/abs.jpg\n")
    rows = read(os.path.relpath(path), "images")
    assert [row.key for row in rows] == ["here.jpg", "both.jpg", "lists/beside.jpg", "none.jpg", "/abs.jpg"]
    assert [row.content for row in rows] == [row.key for row in rows]


@pytest.mark.skipif(os.name == "nt", reason="names are bytes")
def test_names_that_are_not_utf_8_are_opened_and_have_keys(tmp_path: Path) -> None:
    rows = read(write(tmp_path, b'caf\xe9.jpg\n"/a\\n\\xe9.jpg"\n'), "images")
    assert [os.fsencode(str(row.content)) for row in rows] == [b"caf\xe9.jpg", b"/a\n\xe9.jpg"]
    assert [row.key for row in rows] == ["caf\udce9.jpg", "/a\n\udce9.jpg"]


def test_urls_are_fetched_in_order_and_some_at_a_time(store: ObjectStore) -> None:
    names = [f"{number:03d}.jpg" for number in range(50)]
    for name in names:
        store.put(f"memory://data/{name}", name.encode())
    url = store.put("memory://data/list.txt", "\n".join([*names, "memory://data/none.jpg"]).encode())
    rows = read(url, "images")
    assert [row.content for row in rows] == [*(name.encode() for name in names), None]
    assert [row.key for row in rows][:2] == [f"memory://data/{name}" for name in names[:2]]
    assert str(rows[-1].error) == "memory://data/none.jpg: cannot be read (there is no such file)."


@pytest.mark.parametrize("url", ["file:///etc/passwd", "zip://a.jpg::memory://a.zip", "ftp://x/a.jpg", "LOCAL://a"])
def test_lists_open_no_urls_of_other_kinds(tmp_path: Path, url: str) -> None:
    (row,) = read(write(tmp_path, url.encode()), "images")
    assert "is refused in a list; expected a URL of one of http, https, s3" in str(row.error)


def test_a_list_that_breaks_off_is_resumed(store: ObjectStore) -> None:
    content = b"".join(b"%06d\n" % number for number in range(50_000))
    url = store.put("memory://a.txt", content)
    store.breaks = [70_001, 3, 100_000]
    assert [row.content for row in read(url, "texts", 7)] == [f"{number:06d}" for number in range(1, 50_000)]


def test_a_list_that_is_not_there_is_no_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.txt: cannot be read"):
        read(tmp_path / "none.txt", "texts")
