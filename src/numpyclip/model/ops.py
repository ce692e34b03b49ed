"""Arithmetic of the two towers: arrays in, arrays out, float32 throughout.

Letters: b batch, n tokens, d width, h heads, k = d / h, e embedding, y rows, x columns, c channels.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Multiply by a matrix and add a bias: (..., d) -> (..., e), with a weight of shape (e, d)."""
    y: Array = x.reshape(-1, x.shape[-1]) @ weight.T  # one large product instead of one per batch item
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], weight.shape[0])


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Give every token mean 0 and variance 1, then scale and shift it (Ba et al., 2016): (..., d) -> (..., d)."""
    x = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(x).mean(axis=-1, keepdims=True)  # (..., 1)
    y: Array = x / np.sqrt(variance + np.float32(eps)) * weight + bias
    return y


def softmax(x: ArrayLike, axis: int = -1) -> NDArray[Any]:
    """Turn scores into probabilities that sum to 1 along an axis.

    Parameters
    ----------
    x : array_like
        Scores, such as `logits_per_image`. Integers are taken as float32.
    axis : int, default=-1

    Returns
    -------
    ndarray of the same shape
        Of the same floating type. No score is too large: the largest is subtracted first.
    """
    scores = np.asarray(x)
    if scores.dtype.kind != "f":
        scores = scores.astype(np.float32)
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    probabilities: NDArray[Any] = powers / powers.sum(axis=axis, keepdims=True)
    return probabilities


def normalize(x: Array) -> Array:
    """Scale vectors to unit length: (..., e) -> (..., e). A vector of zeros stays one."""
    length = np.sqrt(np.square(x).sum(axis=-1, keepdims=True))  # (..., 1)
    unit: Array = x / np.maximum(length, np.finfo(np.float32).tiny)
    return unit


def relu(x: Array) -> Array:
    """Replace what is negative by 0."""
    y: Array = np.maximum(x, np.float32(0))
    return y


def quick_gelu(x: Array) -> Array:
    """Apply x sigmoid(1.702 x), OpenAI's approximation of GELU."""
    # sigmoid(2 y) = (1 + tanh(y)) / 2: no part of it overflows, whatever x is
    y: Array = np.float32(0.5) * x * (np.float32(1) + np.tanh(np.float32(0.851) * x))
    return y


# erf(x) = x P(x²) / Q(x²) for |x| <= 4, fitted to math.erf for the least relative error, which is 2.5e-8.
_ERF_P = (1.12837914, 0.193546736, 0.0531017902, 0.00388335153, 0.000284555658, 1.98664547e-6)
_ERF_Q = (1.0, 0.504858886, 0.115350527, 0.0152072949, 0.00118555221, 3.74181911e-5)


def erf(x: Array) -> Array:
    """Error function, within 4e-7; NumPy has none."""
    x = np.clip(x, np.float32(-4), np.float32(4))  # erf(4) is 1 to float32's last bit
    square = np.square(x)
    y: Array = x * _polynomial(_ERF_P, square) / _polynomial(_ERF_Q, square)
    return y


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    y = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        y = y * x + np.float32(coefficient)
    return y


def gelu(x: Array) -> Array:
    """Apply x Φ(x), the Gaussian error linear unit (Hendrycks and Gimpel, 2016)."""
    y: Array = np.float32(0.5) * x * (np.float32(1) + erf(x * np.float32(math.sqrt(0.5))))
    return y


def attention(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    """Mix the values by how well queries match keys (Vaswani et al., 2017, eq. 1).

    (..., n, k), (..., m, k), (..., m, k) -> (..., n, k); the mask (n, m) is added to the scores.
    """
    q = q * np.float32(1 / math.sqrt(q.shape[-1]))
    scores = q @ k.swapaxes(-1, -2)  # (..., n, k) (..., k, m) -> (..., n, m)
    if mask is not None:
        scores += mask
    mixed: Array = softmax(scores) @ v  # (..., n, m) (..., m, k) -> (..., n, k)
    return mixed


def split_heads(x: Array, heads: int) -> Array:
    """(b, n, h k) -> (b, h, n, k)."""
    b, n, d = x.shape
    y: Array = x.reshape(b, n, heads, d // heads).swapaxes(1, 2)
    return y


def join_heads(x: Array) -> Array:
    """(b, h, n, k) -> (b, n, h k)."""
    b, h, n, k = x.shape
    y: Array = x.swapaxes(1, 2).reshape(b, n, h * k)
    return y


def causal_mask(n: int) -> Array:
    """(n, n): 0 where a token may look, at itself and back; minus infinity ahead."""
    return np.triu(np.full((n, n), -np.inf, np.float32), 1)


def patches(image: Array, size: int) -> Array:
    """Cut pictures into square patches: (b, c, y, x) -> (b, tokens, c size size), row by row."""
    b, c, y, x = image.shape
    grid = image.reshape(b, c, y // size, size, x // size, size)
    tokens: Array = grid.transpose(0, 2, 4, 1, 3, 5).reshape(b, (y // size) * (x // size), c * size * size)
    return tokens


_WINDOW_NUMBERS = 2**23  # 32 MiB


def convolve3x3(x: Array, weight: Array, stride: int = 1) -> Array:
    """Convolve with a border of zeros: (b, y, x, c) -> (b, y / stride, x / stride, e).

    The weight is (9 c, e), its rows in the order (row, column, channel) of the window.
    """
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::stride, ::stride]
    windows = windows.transpose(0, 1, 2, 4, 5, 3)  # (b, y, x, c, 3, 3) -> (b, y, x, 3, 3, c)
    b, rows, columns = windows.shape[:3]
    y = np.empty((b, rows, columns, weight.shape[1]), np.float32)
    # The windows are nine times the size of the pictures: too much to have of many large ones at once.
    step = max(_WINDOW_NUMBERS // max(windows[0].size, 1), 1) if b else 1
    for start in range(0, b, step):
        part = windows[start : start + step]
        y[start : start + step] = (part.reshape(-1, weight.shape[0]) @ weight).reshape(len(part), rows, columns, -1)
    return y


def average_pool(x: Array, size: int) -> Array:
    """Average squares of pixels: (b, y, x, c) -> (b, y // size, x // size, c); a rest at the edge is dropped."""
    b, rows, columns, c = x.shape
    whole = x[:, : rows // size * size, : columns // size * size]
    y: Array = whole.reshape(b, rows // size, size, columns // size, size, c).mean(axis=(2, 4))
    return y
