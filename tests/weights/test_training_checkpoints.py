"""What training scripts save (tools/golden/training_checkpoints.py): the weights are found, by nothing else."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import CorruptCheckpointError
from numpyclip.weights.read import read
from tests.weights.forged import GOLDEN

TRAINING = GOLDEN.parent / "training"
FILES = sorted(file for file in TRAINING.iterdir() if file.suffix != ".npz")
BESIDE = {
    "attn-mask": ("attn_mask",),
    "averaged": ("n_averaged",),
    "ema-pytorch": ("step",),
    "lightning": ("sink_temp", "loss.weight"),
}
AVERAGES = {"ema-pytorch": "ema", "mae-ema": "model_ema", "timm-ema": "state_dict_ema"}


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_weights_are_found(file: Path) -> None:
    found = read(file)
    with np.load(TRAINING / "weights.npz") as expected:
        assert {*found.arrays, *found.left_out} == {*expected.files, *BESIDE.get(file.stem, ())}
        for name, array in expected.items():
            np.testing.assert_array_equal(found.arrays[name], array, err_msg=name)
    if place := AVERAGES.get(file.stem):
        (warning,) = found.warnings
        assert repr(place) in warning and "the average over training" in warning
    elif file.stem == "dino":
        assert "in 'student' under 'module.' and in 'teacher'" in found.warnings[0]
    else:
        assert not found.warnings


def test_a_pickled_model_shows_its_activation() -> None:
    assert {file.stem: read(file).activation for file in FILES if read(file).activation} == {"whole": "quick_gelu"}


def test_no_package_of_those_objects_is_imported() -> None:
    packages = {"torch", "omegaconf", "decimal", "fractions", "uuid", "numpy.random._pickle"}
    before = packages & set(sys.modules)
    for file in FILES:
        read(file)
    assert packages & set(sys.modules) == before


def test_a_damaged_average_is_an_error_that_names_the_other_weights() -> None:
    checkpoint = read(TRAINING / "mae-ema.pt")
    damaged = {**checkpoint.arrays, "ln_final.bias": np.full(4, np.nan, np.float32)}
    message = (
        r"mae-ema\.pt: tensor 'ln_final\.bias' in 'model_ema' holds NaN or infinity; .* In this one, weights are in "
        r"'model_ema' and in 'model'; the first are used, .* Save others alone to use them\."
    )
    with pytest.raises(CorruptCheckpointError, match=message):
        replace(checkpoint, arrays=damaged).take("ln_final.bias")
