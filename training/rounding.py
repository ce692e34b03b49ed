"""Round weights to eight bits or so, in float16: deflate then stores them in 70% of the space.

Each row of a matrix becomes multiples of a power of two, near 1/32 of its root mean square. float16 holds these
exactly, so the file is read as any other, and a copy in another layout has the same embeddings.
docs/explanations/tiny.md has the cost. int8 with a scale for each row would take less still (6.6 MB, where this takes
9.4, and float16 13.6), but readers of .npz know no scales, and embeddings could not be compared with those of a copy in
float16.
"""

import numpy as np

_PARTS = 32  # of a row's root mean square
_MIN_ROUNDED = 2**12  # numbers: rounding smaller tensors saves no space to speak of


def rounded(name: str, weights: np.ndarray) -> np.ndarray:
    """Return a matrix in float16, rounded; positions, which are added and not multiplied, as they are."""
    if weights.ndim < 2 or weights.size < _MIN_ROUNDED or "positional" in name:
        return weights.astype(np.float16 if weights.ndim > 1 else np.float32)
    rows = weights.reshape(len(weights), -1).astype(np.float64)
    size = np.sqrt(np.square(rows).mean(axis=1, keepdims=True))
    step = np.exp2(np.rint(np.log2(np.where(size > 0, size, 1) / _PARTS)))
    return (np.rint(rows / step) * step).astype(np.float16).reshape(weights.shape)
