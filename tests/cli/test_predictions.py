"""What `classify` writes beside its lines."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"


@pytest.fixture
def kinds(tmp_path: Path) -> Path:
    for label, name in (("umbrella", "umbrella"), ("umbrella", "guitar"), ("guitar", "guitar"), ("other", "horse")):
        (tmp_path / "kinds" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(ALBUM / f"{name}.png", tmp_path / "kinds" / label)
    (tmp_path / "labels.csv").write_text("umbrella,parasol\nguitar\nbicycle\n")
    return tmp_path


def test_folders_named_after_labels_tell_what_is_right(run: Run, kinds: Path) -> None:
    words = ("classify", kinds / "kinds", "--labels", kinds / "labels.csv", "-n", "1", "-m", "tiny")
    status, out, err = run(*words, "-o", kinds / "a.json", "--confusion", kinds / "c.png")
    assert (status, len(out.splitlines())) == (0, 4)
    assert "of 3 images in folders named after labels 0.6667 are right; mean per-class recall 0.7500" in err
    found = json.loads((kinds / "a.json").read_text())
    assert (found["labelled"], found["accuracy"]) == (3, pytest.approx(2 / 3))
    assert {(Path(e["path"]).parent.name, e["label"]) for e in found["pictures"]} == {
        ("umbrella", "umbrella"),
        ("guitar", "guitar"),
        ("other", None),
    }
    with Image.open(kinds / "c.png") as picture:
        assert picture.size[0] > 100
    run(*words, "-o", kinds / "a.csv")
    with (kinds / "a.csv").open(newline="") as file:
        assert [row["predicted"] for row in csv.DictReader(file)].count("guitar") >= 2


def test_a_classifier_is_kept_and_says_the_same(run: Run, kinds: Path) -> None:
    words = ("--labels", kinds / "labels.csv", "--template", "imagenet7", "--save", kinds / "kept.npz")
    first = run("classify", ALBUM / "umbrella.png", *words, "-m", "tiny")
    second = run("classify", ALBUM / "umbrella.png", "--classifier", kinds / "kept.npz", "-m", "tiny")
    assert first.out == second.out
    assert first.out.split("\t")[1].startswith("umbrella")
    result = run("classify", ALBUM / "umbrella.png", "--classifier", kinds / "kept.npz", "--labels", "x", "-m", "tiny")
    assert (result.status, "a classifier has its own classes" in result.err) == (2, True)


def test_labels_may_have_parts_and_a_least_probability(run: Run) -> None:
    words = ("sky/sun", "sky/moon", "music/guitar", "--separator", "/", "-m", "tiny")
    _, out, _ = run("classify", ALBUM / "umbrella.png", *words, "--json", "--threshold", "0.2")
    found = json.loads(out)
    assert all(entry["probability"] >= 0.2 for entry in found["labels"])
    assert {entry["label"] for entry in found["parents"]} == {"sky", "music"}
    assert sum(entry["probability"] for entry in found["parents"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--threshold", "2"], "--threshold is 2.0"),
        (["--confusion", "c.png"], "no image is in a folder that is named"),
        (["-o", "a.txt"], "does not end in .csv, .json"),
        (["--classifier", "nowhere.npz"], "nothing to classify"),
    ],
)
def test_wrong_arguments_are_named(run: Run, words: list[str], message: str) -> None:
    items = [] if "--classifier" in words else [ALBUM / "sun.png", "sun", "guitar"]
    result = run("classify", *items, *words, "-m", "tiny")
    assert result.status == 2
    assert message in result.err
