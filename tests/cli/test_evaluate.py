import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"


@pytest.fixture
def kinds(tmp_path: Path) -> Path:
    folder = tmp_path / "kinds"
    for name in ("umbrella", "guitar", "bicycle"):
        (folder / name).mkdir(parents=True)
        shutil.copy(ALBUM / f"{name}.png", folder / name)
    return folder


def test_metrics_are_printed_and_files_written(run: Run, kinds: Path, tmp_path: Path) -> None:
    words = ("evaluate", kinds, "-m", "tiny", "-o", tmp_path / "a.csv", "--confusion", tmp_path / "c.png")
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    found = dict(line.split("\t") for line in out.splitlines())
    assert (found["pictures"], found["acc1"], found["mean_per_class_recall"]) == ("3", "1.0000", "1.0000")
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 4
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.format == "PNG"


def test_json_and_a_broken_picture(run: Run, kinds: Path) -> None:
    (kinds / "guitar" / "broken.png").write_bytes(b"")
    status, out, err = run("evaluate", kinds, "-m", "tiny", "--json", "--template", "imagenet7")
    found = json.loads(out)
    assert status == 3
    assert "broken.png: cannot be read" in err
    assert (found["path"], found["model"], found["pictures"], found["acc5"]) == (str(kinds), "tiny", 3, None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "there is no such file or folder"),
        (["{kinds}", "--labels", "nowhere"], "nowhere: cannot be read"),
        (["{kinds}", "--labels", "food101"], "expected the same names, or equal counts"),
        (["{kinds}", "--template", "photo"], "is neither a template with"),
        (["{kinds}", "-o", "a.xlsx"], "does not end in"),
    ],
)
def test_wrong_arguments_are_named(run: Run, kinds: Path, words: list[str], message: str) -> None:
    result = run("evaluate", *(word.replace("{kinds}", str(kinds)) for word in words), "-m", "tiny")
    assert (result.status, result.out) == (2, "")
    assert message in result.err


def test_a_confusion_matrix_needs_labels(run: Run, bird: Path, tmp_path: Path) -> None:
    folder = tmp_path / "captioned"
    folder.mkdir()
    (folder / "bird.png").write_bytes(bird.read_bytes())
    (folder / "bird.txt").write_text("a bird\n")
    for more in ([], ["--labels", "cifar10"]):
        result = run("evaluate", folder, "-m", "tiny", "--confusion", tmp_path / "c.png", *more)
        assert (result.status, "--confusion: " in result.err) == (2, True)
