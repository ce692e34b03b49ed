"""Braces and globs as shells, webdataset and clip-retrieval expand them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from numpyclip.errors import InputError
from numpyclip.sources.places import braces, places, reader_of
from tests.object_store import ObjectStore


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{00008..00011}.tar", ["00008.tar", "00009.tar", "00010.tar", "00011.tar"]),
        ("{8..10}", ["8", "9", "10"]),
        ("{10..8}", ["10", "9", "8"]),
        ("{0..10..5}", ["0", "5", "10"]),
        ("{-1..1}", ["-1", "0", "1"]),
        ("{a..c}{0..1}", ["a0", "a1", "b0", "b1", "c0", "c1"]),
        ("{train,val}/{0..1}.tar", ["train/0.tar", "train/1.tar", "val/0.tar", "val/1.tar"]),
        ("x{a,b{0..1}}", ["xa", "xb0", "xb1"]),
        ("s3://b/{a,}.tar", ["s3://b/a.tar", "s3://b/.tar"]),
        ("{model}.{}", ["{model}.{}"]),
        ("{0..1..0}", ["0", "1"]),
    ],
)
def test_braces_are_expanded(source: str, names: list[str]) -> None:
    assert list(braces(source)) == names


def test_a_source_that_stands_for_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.sources.places._MOST_NAMES", 1000)
    with pytest.raises(InputError, match="stands for more than 1,000 names"):
        list(places(f"{tmp_path}/{{0..99999999999}}.tar"))
    assert next(braces("{0..999999999}{0..999999999}{0..999999999}")) == "000"
    assert len(list(islice(braces("{0..99999999999999999}"), 10))) == 10


def test_globs_are_the_files_that_fit(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.jpg", "c.png", "in/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    assert [Path(place).name for place in places(f"{tmp_path}/*.jpg")] == ["a.jpg", "b.jpg"]
    assert [Path(place).name for place in places(f"{tmp_path}/**/*.[jp][pn]g")] == ["a.jpg", "b.jpg", "c.png", "d.jpg"]
    with pytest.raises(InputError, match=r"no file fits this pattern"):
        list(places(f"{tmp_path}/*.gif"))


def test_a_file_that_has_this_name_is_meant(tmp_path: Path) -> None:
    for name in ("{0..1}.jpg", "a*.jpg", "ab.jpg"):
        (tmp_path / name).touch()
        assert list(places(f"{tmp_path}/{name}")) == [f"{tmp_path}/{name}"]


def test_a_store_is_searched(store: ObjectStore) -> None:
    for name in ("1.tar", "0.tar", "x.txt"):
        store.put(f"memory://a/{name}", b"")
    assert list(places("memory://a/*.tar")) == ["memory://a/0.tar", "memory://a/1.tar"]
    assert list(places("memory://a/{7..8}.tar")) == ["memory://a/7.tar", "memory://a/8.tar"]


@pytest.mark.parametrize(
    ("place", "reader"),
    [
        ("a/0.TAR", "webdataset"),
        ("0.tar.gz", "webdataset"),
        ("https://x.org/0.tgz?X-Amz-Signature=a/b", "webdataset"),
        ("https://x.org/resolve/main/0.parquet?download=true", "parquet"),
        ("s3://b/list.txt", "lines"),
        ("s3://b/list.txt?", None),
        ("https://x.org/0.tar/", "webdataset"),
        ("https://x.org/image?name=0.tar", None),
        ("photos/", None),
    ],
)
def test_shards_and_lists_are_told_by_their_names(place: str, reader: str | None) -> None:
    assert reader_of(place) == reader


def test_a_query_of_a_url_is_no_pattern() -> None:
    assert list(places("https://x.org/a.jpg?size=[1]")) == ["https://x.org/a.jpg?size=[1]"]
