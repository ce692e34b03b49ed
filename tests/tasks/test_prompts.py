from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import InputError
from numpyclip.tasks.labels import read_labels
from numpyclip.tasks.prompts import label_file, label_names, template_names, templates


def test_the_ensembles_of_the_papers_are_there() -> None:
    """Counts of openai/CLIP's notebook and data/prompts.md, and of big_vision's prompts."""
    counts = {
        "imagenet": 80,
        "imagenet7": 7,
        "cifar10": 18,
        "food101": 1,
        "kinetics700": 28,
        "ucf101": 48,
        "siglip": 81,
    }
    assert {name: len(templates(name)) for name in counts} == counts
    assert templates("imagenet")[0] == "a bad photo of a {}."
    assert set(templates("imagenet7")) <= set(templates("imagenet"))
    assert templates("food101") == ["a photo of {}, a type of food."]


def test_the_labels_of_the_papers_are_there() -> None:
    counts = {"imagenet": 1000, "cifar100": 100, "food101": 101, "oxfordpets": 37, "stl10": 10, "mnist": 10}
    assert {name: len(read_labels(label_file(name))) for name in counts} == counts
    assert read_labels(label_file("imagenet"))[0] == ["tench"]
    assert ["crane bird"] in read_labels(label_file("imagenet"))


@pytest.mark.parametrize("name", template_names())
def test_every_template_has_one_place_for_a_label(name: str) -> None:
    assert all(template.count("{}") == 1 for template in templates(name))


@pytest.mark.parametrize("name", label_names())
def test_every_dataset_with_labels_has_templates(name: str) -> None:
    assert name in template_names()
    assert all(cell.strip() for row in read_labels(label_file(name)) for cell in row)


def test_a_template_several_or_a_file_may_be_given(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("a {c}\n\n{}, drawn\n")
    assert templates("a photo of a {}") == ["a photo of a {}"]
    assert templates(["{}", "a {c}"]) == ["{}", "a {}"]
    assert templates(str(file)) == ["a {}", "{}, drawn"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("imagnet", "is neither a template with"),
        ([], "no templates"),
        (["a photo"], "expected {}"),
        ([3], "templates"),
    ],
)
def test_what_is_no_template_is_refused(source: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        templates(source)
