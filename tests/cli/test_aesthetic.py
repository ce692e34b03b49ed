import json
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from tests.cli.conftest import Run
from tests.conftest import TESTS


@pytest.fixture
def predictor(tmp_path: Path) -> Path:
    """A linear head for `tiny`."""
    weight = np.random.default_rng(0).standard_normal((1, 128)).astype(np.float32)
    np.savez(tmp_path / "head.npz", weight=weight, bias=np.array([5], np.float32))
    return tmp_path / "head.npz"


def test_scores_of_a_folder_are_products_with_its_embeddings(
    run: Run, album: Path, predictor: Path, tiny: CLIP
) -> None:
    status, out, err = run("aesthetic", album, "--predictor", predictor, "-m", "tiny")
    assert status == 3
    assert "broken.jpg: cannot be read" in err
    rows = [line.split("\t") for line in out.splitlines()]
    with np.load(predictor) as file:
        expected = tiny.embed_images([path for path, _ in rows]) @ file["weight"][0] + file["bias"]
    assert len(rows) == 3
    assert [float(score) for _, score in rows] == pytest.approx(expected.tolist(), abs=6e-4)


def test_one_picture_prints_its_score_alone(run: Run, bird: Path, predictor: Path) -> None:
    _, out, _ = run("aesthetic", bird, "--predictor", predictor, "-m", "tiny")
    _, found, _ = run("aesthetic", bird, "--predictor", predictor, "-m", "tiny", "--json")
    assert json.loads(found) == {"path": str(bird), "aesthetic": pytest.approx(float(out), abs=6e-4)}


def test_a_predictor_for_another_size_is_refused_before_any_picture_is_read(run: Run, tmp_path: Path) -> None:
    head = TESTS / "golden" / "learning" / "aesthetic-linear.pth"
    status, out, err = run("aesthetic", tmp_path / "nowhere.png", "--predictor", head, "-m", "tiny")
    assert (status, out) == (2, "")
    assert "for embeddings of 512 dimensions, not of 128" in err
    assert "nowhere.png" not in err


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--predictor", "head.npz"], 2, "nothing to score"),
        (["bird.png"], 2, "--predictor"),
        (["bird.png", "--predictor", "no.pth"], 2, "no.pth: cannot be read"),
        (["bird.png", "--predictor", "bird.png"], 2, "bird.png: an image; expected"),
    ],
)
def test_wrong_arguments_are_named(
    words: list[str],
    status: int,
    message: str,
    run: Run,
    bird: Path,
    predictor: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(bird.parent)
    result = run("aesthetic", *words, "-m", "tiny")
    assert (result.status, result.out) == (status, "")
    assert message in result.err
