"""Heads in the layouts of LAION's files, written and computed by PyTorch: see tools/make_golden_learning.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import CheckpointError, InputError, UnsupportedCheckpointError
from numpyclip.tasks.aesthetic import AestheticPredictor
from tests.conftest import TESTS

GOLDEN = TESTS / "golden" / "learning"


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_scores_are_those_of_pytorch(name: str) -> None:
    predictor = AestheticPredictor.read(GOLDEN / f"aesthetic-{name}.pth")
    with np.load(GOLDEN / "aesthetic.npz") as golden:
        embeddings, expected = golden[f"{name} embeddings"], golden[f"{name} scores"]
    found = predictor(embeddings)  # not of unit length, as it is judged
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_embeddings_of_another_model_are_refused() -> None:
    predictor = AestheticPredictor.read(GOLDEN / "aesthetic-linear.pth")
    with pytest.raises(InputError, match=r"for embeddings of 512 dimensions, not of 768.* OpenAI's ViT-B/32"):
        predictor(np.ones((1, 768)))
    with pytest.raises(InputError, match="NaN"):
        predictor(np.full((1, 512), np.nan))


def layers(numbers: tuple[int, ...], widths: tuple[int, ...]) -> dict[str, Any]:
    return {
        f"layers.{number}.{kind}": np.ones(shape, np.float32)
        for number, inside, outside in zip(numbers, widths[:-1], widths[1:], strict=True)
        for kind, shape in (("weight", (outside, inside)), ("bias", (outside,)))
    }


GOOD = layers((0, 2, 4, 6, 7), (8, 6, 5, 4, 3, 1))


def test_layers_that_fit_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "good.npz", **GOOD)
    assert AestheticPredictor.read(tmp_path / "good.npz").embed_dim == 8


@pytest.mark.parametrize(
    "arrays",
    [
        layers((0, 3, 6, 9, 11), (8, 6, 5, 4, 3, 1)),  # with activations between
        layers((0, 2, 4, 6), (8, 6, 5, 4, 1)),
        layers((0, 2, 4, 6, 7), (8, 6, 5, 4, 3, 2)),
        {**GOOD, "layers.4.weight": np.ones((4, 6), np.float32)},
        {**GOOD, "layers.4.bias": np.ones((4, 1), np.float32)},
        {**GOOD, "layers.4.bias": np.ones(4, int)},
        {**GOOD, "layers.0.weight": np.ones((6, 0), np.float32)},
        {**GOOD, "more": np.ones(3, np.float32)},
        {"weight": np.ones((1, 8), np.float32)},
        {"weight": np.ones(8, np.float32), "bias": np.ones(1, np.float32)},
        {"weight": np.ones((2, 8), np.float32), "bias": np.ones(2, np.float32)},
        {"weight": np.ones((1, 8), np.float32), "bias": np.float32(1)},
    ],
)
def test_other_networks_are_refused(arrays: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(UnsupportedCheckpointError, match=r"bad.npz: holds .* expected an aesthetic predictor of LAION"):
        AestheticPredictor.read(tmp_path / "bad.npz")


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **{**GOOD, "layers.2.bias": np.full(5, np.nan, np.float32)})
    with pytest.raises(CheckpointError, match=r"'layers\.2\.bias' holds NaN or infinity"):
        AestheticPredictor.read(tmp_path / "bad.npz")


def test_a_file_of_a_whole_model_is_named() -> None:
    with pytest.raises(UnsupportedCheckpointError, match="expected an aesthetic predictor"):
        AestheticPredictor.read(TESTS / "golden" / "checkpoints" / "vit-state-dict.pt")
