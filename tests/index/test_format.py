"""Indexes that earlier versions have written are read."""

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index, SearchResult, Where
from numpyclip.index.repair import check_index
from numpyclip.index.vectors import hnsw

GOLDEN = Path(__file__).parents[1] / "golden" / "index"  # of precision int8, written before the first release
PHOTOS = "/tmp/golden-photos"


@pytest.fixture
def golden(tmp_path: Path, tiny: CLIP) -> Index:
    return Index(shutil.copytree(GOLDEN, tmp_path / "index", ignore=shutil.ignore_patterns("*.json")), tiny)


def test_an_index_of_the_first_format_is_searched_as_it_was(golden: Index) -> None:
    expected = json.loads((GOLDEN / "expected.json").read_text())

    def assert_same(result: SearchResult, name: str) -> None:
        found = [match.to_dict() for match in result]
        assert [record.keys() for record in found] == [record.keys() for record in expected[name]]
        for record, old in zip(found, expected[name], strict=True):
            assert record == {key: pytest.approx(value, abs=1e-5) for key, value in old.items()}

    result = golden.search("a bird", 10)
    assert_same(result, "pictures")
    assert result.cutoff == expected["cutoff"]
    assert_same(golden.search("a bird", 10, where=Where(f"{PHOTOS}/more", after="2021")), "more")
    assert_same(golden.search("a bird", 10, modality="texts"), "texts")
    assert vars(golden.store.counts()) == expected["counts"]
    assert [list(problem) for problem in golden.store.problems()] == expected["problems"]
    assert {folder: list(ignored) for folder, ignored in golden.store.folders().items()} == expected["folders"]
    assert sorted(golden.store.files(PHOTOS)) == expected["files"]


def test_an_index_of_the_first_format_is_written(golden: Index, tiny: CLIP) -> None:
    golden.add_texts(["a boat"])
    with golden.store.writing():
        assert golden.store.forget_folder(f"{PHOTOS}/more") == 3
        assert golden.store.compact() == 2
    assert len(golden.search("a bird", 10)) == 2
    assert {match.text for match in golden.search("a boat", 10, modality="texts")} == {"a bird", "a house", "a boat"}


GOLDEN_2 = GOLDEN.with_name("index-2")  # with all that version 2 has; see tools/make_golden_index.py
PHOTOS_2 = "/tmp/golden-photos-2"


@pytest.fixture
def golden_2(tmp_path: Path, tiny: CLIP) -> Index:
    return Index(shutil.copytree(GOLDEN_2, tmp_path / "index-2", ignore=shutil.ignore_patterns("*.json")), tiny)


def test_an_index_of_the_second_format_is_searched_as_it_was(golden_2: Index) -> None:
    described = runpy.run_path(str(GOLDEN.parents[2] / "tools" / "make_golden_index.py"))["described"]

    def rounded(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 4)
        if isinstance(value, list):
            return [rounded(one) for one in value]
        return {key: rounded(one) for key, one in value.items()} if isinstance(value, dict) else value

    assert rounded(described(golden_2)) == rounded(json.loads((GOLDEN_2 / "expected.json").read_text()))


def test_an_index_of_the_second_format_is_sound_and_written(golden_2: Index) -> None:
    assert check_index(golden_2.store.place) == []
    golden_2.add_texts(["a boat"])
    with golden_2.store.writing():
        assert golden_2.store.forget_folder(f"{PHOTOS_2}/more") == 2
        assert golden_2.store.compact() == 1
    assert len(golden_2.search("a bird", 10)) == 3
    assert len(golden_2.search("a boat", 10, modality="texts")) == 4


def test_its_graph_is_used(golden_2: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("usearch")
    calls: list[int] = []
    search = hnsw.HNSW.nearest
    monkeypatch.setattr(hnsw.HNSW, "nearest", lambda *args: calls.append(1) or search(*args))  # type: ignore[func-returns-value]
    assert golden_2.search("a bird", 1)[0].path == f"{PHOTOS_2}/album/copy.jpg"
    assert calls == [1]


def test_an_index_of_the_first_format_becomes_one_of_the_second(golden: Index) -> None:
    place = Path(golden.store.place)
    before = [match.to_dict() for match in golden.search("a bird", 10, modality="texts")]
    assert not list(place.rglob("*-checksum*"))
    golden.add_texts([])
    assert (place / "index.sqlite-checksum").exists()
    assert (place / "pictures-1" / "000000.int8-checksums").exists()
    assert [match.to_dict() for match in golden.search("a bird", 10, modality="texts")] == before
    assert check_index(place) == []
