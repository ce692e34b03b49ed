import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run


def test_explain_prints_the_hottest_place_and_draws_every_text(run: Run, bird: Path, tmp_path: Path) -> None:
    output = tmp_path / "heat.png"
    status, out, err = run("explain", bird, "a bird", "a dog", "-m", "tiny", "-o", output)
    assert (status, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[2] for row in rows] == ["a bird", "a dog"]
    assert all(0 <= int(place) < 64 for row in rows for place in row[:2])
    with Image.open(output) as page:
        assert page.size == (12 + 3 * 268, 12 + 268 + 18)


def test_explain_writes_the_maps_as_numbers_too(run: Run, bird: Path, tmp_path: Path) -> None:
    output = tmp_path / "heat.npy"
    status, out, _ = run("explain", bird, "a bird", "-m", "tiny", "-o", output, "--json", "--grid", "4")
    heat = np.load(output)
    assert (status, heat.shape, heat.dtype) == (0, (1, 64, 64), np.float32)
    y, x = np.unravel_index(heat[0].argmax(), heat[0].shape)
    assert json.loads(out) == {"path": str(bird), "text": "a bird", "hottest": [x, y]}


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["explain", "{bird}"], 2, "one or more texts"),
        (["explain", "{bird}", "a", "--grid", "3", "-m", "tiny"], 2, "grid is 3"),
        (["explain", "{bird}", "a", "-o", "x.jpg"], 2, "does not end in"),
        (["explain", "none.png", "a", "-m", "tiny"], 2, "none.png"),
    ],
)
def test_wrong_words_are_named(run: Run, bird: Path, words: list[str], status: int, message: str) -> None:
    result = run(*(word.format(bird=bird) for word in words))
    assert (result.status, result.out) == (status, "")
    assert message in result.err


def test_each_text_is_explained_in_its_best_view(run: Run, wide: Path, tmp_path: Path) -> None:
    output = tmp_path / "heat.npy"
    words = ("explain", wide, "a bird", "a house", "-m", "tiny", "--views", "crop,tiles", "--grid", 4)
    _, out, _ = run(*words, "-o", output)
    assert [line.split("\t")[2:] for line in out.splitlines()] == [["left", "a bird"], ["right", "a house"]]
    left, right = np.isfinite(np.load(output))
    assert left[:, :64].all() and not left[:, 64:].any()
    assert right[:, 128:].all() and not right[:, :128].any()
    assert [json.loads(line)["view"] for line in run(*words, "--json").out.splitlines()] == ["left", "right"]
