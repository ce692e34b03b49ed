import json
import sys
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import InputError, MissingPackageError, NumPyCLIPError
from numpyclip.tasks.evaluation.datasets.open_dataset import open_dataset


def write(path: Path, columns: dict[str, Any], names: list[str] | None = None) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="parquet files need pyarrow: pip install 'numpyclip[parquet]'")
    from pyarrow import parquet

    table = pyarrow.table(columns)
    if names is not None:
        facts = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(facts)})
    parquet.write_table(table, path)
    return path


def test_rows_are_examples_and_the_schema_names_labels(tmp_path: Path) -> None:
    images = [{"bytes": b"A", "path": "a.jpg"}, {"bytes": b"B", "path": None}]
    path = write(tmp_path / "a.parquet", {"image": images, "label": [1, 0]}, ["dog", "cat"])
    dataset = open_dataset(path)
    assert dataset.label_names == ["dog", "cat"]
    problems: list[NumPyCLIPError] = []
    assert [(e.picture, e.label) for e in dataset.examples(problems.append)] == [(b"A", 1), (b"B", 0)]
    assert problems == []


def test_captions_are_texts_or_lists(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"image": [b"A", b"B"], "caption": [["one", " two "], ["three"]]})
    found = list(open_dataset(path).examples(lambda problem: pytest.fail(str(problem))))
    assert [e.captions for e in found] == [("one", "two"), ("three",)]


def test_columns_have_the_names_that_embed_knows_in_any_case(tmp_path: Path) -> None:
    for number, image in enumerate(("Image", "JPEG", "jpeg")):
        path = write(tmp_path / f"{number}.parquet", {image: [b"A"], "Label": [1], "CAPTION": ["a dog"]})
        (found,) = open_dataset(path).examples(lambda problem: pytest.fail(str(problem)))
        assert (found.picture, found.label, found.captions) == (b"A", 1, ("a dog",))


def test_rows_without_a_picture_or_facts_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"image": [None, b"B", b"C"], "label": [1, None, 2]})
    problems: list[NumPyCLIPError] = []
    assert [e.picture for e in open_dataset(path).examples(problems.append)] == [b"C"]
    assert [str(problem).split("a.parquet")[1][:3] for problem in problems] == ["/0:", "/1:"]


def test_other_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"pixels": [b"A"]})
    with pytest.raises(InputError, match=r"has the columns pixels; expected one of image"):
        open_dataset(path)


@pytest.mark.parametrize(
    "columns", [{"label": [0]}, {"image": [b"A"]}, {"label": [0], "caption": ["a"], "file": ["a.jpg"]}]
)
def test_a_column_of_images_and_one_of_labels_or_captions_are_needed(columns: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", columns)
    with pytest.raises(InputError, match=rf"has the columns {', '.join(columns)}; expected one of image, .*label"):
        open_dataset(path)
    (tmp_path / "classnames.txt").write_text("dog")  # so that the schema is first read with the rows
    with pytest.raises(InputError, match="has the columns"):
        list(open_dataset(path).examples(lambda problem: pytest.fail(str(problem))))


def test_no_parquet_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="parquet files need pyarrow: pip install 'numpyclip[parquet]'")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match="is not a parquet file"):
        open_dataset(tmp_path / "a.parquet")


def test_the_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(MissingPackageError, match=r"pip install .*numpyclip\[parquet\]"):
        open_dataset(tmp_path / "a.parquet")
