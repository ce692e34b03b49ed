"""Positional embeddings of a square of patches, interpolated for images of any shape."""

import math

import numpy as np

from numpyclip.model.ops import Array


def interpolate_positions(embedding: Array, rows: int, columns: int) -> Array:
    """Resize a square of positions to so many rows and columns: (d, n n) -> (d, rows columns).

    Bilinear and antialiased, as `torch.nn.functional.interpolate(..., mode="bilinear", antialias=True)`; but for a
    single column, whose rows PyTorch 2.14 makes all alike on the CPU, by mistake: with the same tensor transposed, or
    in its format `channels_last`, it computes what is computed here.
    """
    d, n = embedding.shape
    side = math.isqrt(n)
    if side == rows == columns:
        return embedding
    square = embedding.reshape(d, side, side)
    resized: Array = _weights(side, rows) @ square @ _weights(side, columns).T  # (rows, n) (d, n, n) (n, columns)
    return resized.reshape(d, rows * columns)


def _weights(n: int, m: int) -> Array:
    """Say how much of each of n positions is in each of m: (m, n). A triangle, wider where n is more than m."""
    scale = n / m
    centres = (np.arange(m) + 0.5) * scale
    distances = np.abs(np.arange(n) + 0.5 - centres[:, np.newaxis]) / max(scale, 1.0)
    weights = np.maximum(1 - distances, 0)
    normalized: Array = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalized
