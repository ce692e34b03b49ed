"""Interpolation of the positional embeddings of a square of patches, for images of any shape."""

import math

import numpy as np

from numpyclip.model.ops import Array
from numpyclip.model.vision.vision_config import PositionInterpolation


def interpolate_positions(embedding: Array, rows: int, columns: int, kind: PositionInterpolation = "bilinear") -> Array:
    """Resize a square of positions to so many rows and columns: (d, n n) -> (d, rows columns).

    As `torch.nn.functional.interpolate(..., mode=kind, antialias=True)`, except for a single column: there
    PyTorch 2.14 on the CPU has a bug that makes all rows equal; transposed or in `channels_last`, it agrees with this.
    """
    d, n = embedding.shape
    side = math.isqrt(n)
    if side == rows == columns:
        return embedding
    square = embedding.reshape(d, side, side)
    down, across = _weights(side, rows, kind), _weights(side, columns, kind)
    resized: Array = down @ square @ across.T  # (rows, n) (d, n, n) (n, columns)
    return resized.reshape(d, rows * columns)


def _weights(n: int, m: int, kind: PositionInterpolation) -> Array:
    """Return the weights of n positions in each of m: (m, n), by a filter that is wider if n is larger than m.

    A triangle, or the piecewise cubic of Keys (1981).
    """
    scale = n / m
    centres = (np.arange(m) + 0.5) * scale
    distances = np.abs(np.arange(n) + 0.5 - centres[:, np.newaxis]) / max(scale, 1.0)
    weights = np.maximum(1 - distances, 0)
    if kind == "bicubic":
        near = (1.5 * distances - 2.5) * distances**2 + 1
        far = ((-0.5 * distances + 2.5) * distances - 4) * distances + 2
        weights = np.where(distances <= 1, near, np.where(distances < 2, far, 0))
    normalized: Array = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalized
