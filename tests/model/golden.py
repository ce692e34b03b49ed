"""What openai/CLIP computes in float64 from the golden checkpoints, and how near the towers must come.

Recorded by tools/make_golden.py. float32 has 24 bits, an error of 6e-8 per operation; a handful of layers makes
less than 1e-6 of the largest value, so 2e-6 leaves room for other BLAS libraries and would not hide a wrong eps,
activation, mask or number of heads (each moves the result by 1e-3 or more).
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

import numpyclip
from numpyclip.model.clip import CLIP
from numpyclip.model.ops import Array

TOLERANCE = 2e-6


def load_golden(checkpoints: Path, name: str) -> tuple[CLIP, dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*: the activation is not recorded")
        model, _ = numpyclip.load(checkpoints / name)
    with np.load(checkpoints / f"{name}.npz") as golden:
        return model, dict(golden)


def assert_close(ours: Array, theirs: np.ndarray) -> None:
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()
