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
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.model.ops import Array
from numpyclip.weights.read import read

TOLERANCE = 2e-6


def load_golden(checkpoints: Path, name: str) -> tuple[CLIP, dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*: the activation is not recorded")
        model, _ = numpyclip.load(checkpoints / name)
    with np.load(checkpoints / f"{name}.npz") as golden:
        return model, dict(golden)


def assert_close(ours: Array, theirs: np.ndarray, tolerance: float = TOLERANCE) -> None:
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def read_golden(checkpoints: Path, name: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Weights as `numpyclip.reference` takes them, and what openai/CLIP computes from them."""
    checkpoint = read(checkpoints / name)
    with np.load(checkpoints / f"{name}.npz") as golden:
        return {tensor: checkpoint.take(tensor) for tensor in checkpoint.arrays}, dict(golden)


def to_columns(x: Array) -> Array:
    """(b, n, d) of the reference -> (d, b n) of ours."""
    return np.ascontiguousarray(x.reshape(-1, x.shape[-1]).T)


def from_columns(x: Array, batch: int) -> Array:
    """(d, b n) -> (b, n, d)."""
    rows: Array = x.reshape(len(x), batch, -1).transpose(1, 2, 0)
    return rows
