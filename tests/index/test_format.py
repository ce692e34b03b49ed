"""Indexes that earlier versions have written are read."""

import json
import shutil
from pathlib import Path

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index, SearchResult, Where

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
