import warnings
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import InputError
from numpyclip.tasks.labels import Label, LabelIndex, as_labels, parents, read_labels


def test_names_synonyms_and_labels_may_be_mixed() -> None:
    assert as_labels(["dog", ["cat", "kitten", "cat"], Label("x", ("y",))]) == (
        Label("dog", ("dog",)),
        Label("cat", ("cat", "kitten")),
        Label("x", ("y",)),
    )


def test_only_the_last_part_of_a_label_is_read() -> None:
    assert as_labels(["animal/dog", ["animal/cat", "kitten"]], "/") == (
        Label("animal/dog", ("dog",)),
        Label("animal/cat", ("cat", "kitten")),
    )
    with pytest.raises(InputError, match="'animal/' has an empty part"):
        as_labels(["animal/"], "/")


def test_a_datasets_labels_have_its_name() -> None:
    assert [label.name for label in as_labels("cifar10")][:3] == ["airplane", "automobile", "bird"]
    with pytest.raises(InputError, match="'cifar'; expected a list of one or more strings, or the name of a dataset"):
        as_labels("cifar")


@pytest.mark.parametrize("labels", [[], "dog", b"dog", None, [""], ["  "], [3], [[]], [["dog", 3]], [None]])
def test_what_is_no_label_is_refused(labels: Any) -> None:
    with pytest.raises(InputError, match="label"):
        as_labels(labels)


def test_a_label_that_is_there_twice_is_told() -> None:
    with pytest.warns(UserWarning, match="labels: 1 duplicated, such as 'missile'"):
        labels = as_labels(["missile", "dog", "missile"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_labels(labels) == labels  # once is enough


def test_rows_of_csv_files_are_labels_with_synonyms(tmp_path: Path) -> None:
    file = tmp_path / "labels.CSV"
    file.write_bytes(b'\xef\xbb\xbfdog,puppy, hound\r\n\r\n"crane, bird",\r\n"the ""best"""\n')
    assert read_labels(file) == [["dog", "puppy", "hound"], ["crane, bird"], ['the "best"']]


def test_lines_of_other_files_are_labels_with_their_commas(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("crane, bird\n\ndog\n")
    assert read_labels(file) == [["crane, bird"], ["dog"]]


@pytest.mark.parametrize(
    ("content", "message"), [("", "holds no labels"), ('"dog', "is not a CSV file"), (",,\n", "no labels")]
)
def test_files_without_labels_are_named(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(content)
    with pytest.raises(InputError, match=f"labels.csv: .*{message}"):
        read_labels(file)


def test_parents_know_their_labels() -> None:
    labels = as_labels(["animal/dog", "animal/cat/kitten", "animal", "car"], "/")
    assert parents(labels, "/") == {"animal": [0, 1, 2], "animal/cat": [1]}


def test_folders_are_named_after_labels() -> None:
    index = LabelIndex(as_labels(["hot dog", "animal/cat", "cat", "cat"][:3], "/"), "/")
    assert index.of_folder("/photos/hot_dog/a.jpg") == 0
    assert index.of_folder("photos/animal/cat/a.jpg") == 1
    assert index.of_folder("photos/cat/a.jpg") == 2
    assert index.of_folder("hot dog.jpg") is None
    assert index.find("nothing") is None
