"""Arithmetic of the two towers: arrays in, arrays out, float32 throughout.

A token is a column: activations are (d, ...), so that a weight multiplies as the checkpoint stores it, y = W x + b,
without a transposed copy, and OpenBLAS is faster on few tokens that way.

Letters: b batch, n tokens, d width, h heads, k = d / h, e embedding.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]

_PIECE = 2**16  # numbers that are processed at a time, to stay in the cache: 256 KiB


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Multiply by a matrix and add a bias: (d, ...) -> (e, ...), with a weight of shape (e, d)."""
    y: Array = weight @ x.reshape(len(x), -1)
    if bias is not None:
        y += bias[:, np.newaxis]
    return y.reshape(len(weight), *x.shape[1:])


def standardize(x: Array, eps: float) -> Array:
    """Give every column mean 0 and variance 1: (d, n) -> (d, n).

    A layer norm (Ba et al., 2016) without its scale and shift, which are folded into the next weights.
    """
    y: Array = x - x.mean(axis=0)
    variance = np.einsum("dn,dn->n", y, y) / np.float32(len(y))
    y *= np.float32(1) / np.sqrt(variance + np.float32(eps))
    return y


def softmax(x: ArrayLike, axis: int = -1) -> NDArray[Any]:
    """Turn scores into probabilities that sum to 1 along an axis.

    Parameters
    ----------
    x : array_like
        Scores, such as `logits_per_image`. Integers are converted to float32.
    axis : int, default=-1

    Returns
    -------
    ndarray of the same shape
        Of the same floating dtype. Large scores do not overflow: the largest is subtracted first. NaN where the
        largest is infinite, or a score is NaN.
    """
    scores = np.asarray(x)
    powers = np.array(scores, scores.dtype if scores.dtype.kind == "f" else np.float32)
    if not powers.size:
        return powers
    with np.errstate(invalid="ignore"):  # the difference of infinities
        return _softmax_in_place(powers, axis)


def _softmax_in_place(scores: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    scores -= scores.max(axis=axis, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=axis, keepdims=True)
    return scores


def normalize(x: Array) -> Array:
    """Scale vectors to unit length: (..., e) -> (..., e). Zero vectors stay zero; NaN where the length overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.sqrt(np.square(x).sum(axis=-1, keepdims=True))  # (..., 1)
        length[np.isinf(length)] = np.nan  # dividing by infinity would give zeros
        unit: Array = x / np.maximum(length, np.finfo(np.float32).tiny)
    return unit


def in_pieces(function: Callable[[Array], Array], x: Array) -> Array:
    """Replace the rows of a matrix by a function of them, a few at a time, to stay in the cache."""
    step = max(_PIECE // max(x[:1].size, 1), 1)
    for start in range(0, len(x), step):
        x[start : start + step] = function(x[start : start + step])
    return x


def quick_gelu(x: Array) -> Array:
    """Apply x sigmoid(1.702 x), OpenAI's approximation of GELU."""
    return _swish(x, 1.702)


def silu(x: Array) -> Array:
    """Apply x sigmoid(x), the sigmoid linear unit (Elfwing et al., 2018)."""
    return _swish(x, 1)


def _swish(x: Array, beta: float) -> Array:
    # sigmoid(2 y) = (1 + tanh(y)) / 2, so nothing overflows
    y: Array = np.float32(beta / 2) * x
    np.tanh(y, out=y)
    y += np.float32(1)
    y *= np.float32(0.5)
    y *= x
    return y


# erf(x) = x P(x²) / Q(x²) for |x| <= 4, a minimax fit to math.erf with a relative error of 2.5e-8.
_ERF_P = (1.12837914, 0.193546736, 0.0531017902, 0.00388335153, 0.000284555658, 1.98664547e-6)
_ERF_Q = (1.0, 0.504858886, 0.115350527, 0.0152072949, 0.00118555221, 3.74181911e-5)


def erf(x: Array) -> Array:
    """Error function, within 4e-7; NumPy has none."""
    x = np.clip(x, np.float32(-4), np.float32(4))  # erf(4) is 1 to float32's last bit
    square = np.square(x)
    y = _polynomial(_ERF_P, square)
    y *= x
    y /= _polynomial(_ERF_Q, square)
    return y


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    y = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        y *= x
        y += np.float32(coefficient)
    return y


def gelu(x: Array) -> Array:
    """Apply x Φ(x), the Gaussian error linear unit (Hendrycks and Gimpel, 2016)."""
    y = erf(x * np.float32(math.sqrt(0.5)))
    y += np.float32(1)
    y *= np.float32(0.5)
    y *= x
    return y


def gelu_tanh(x: Array) -> Array:
    """Approximate GELU by x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, as PyTorch's ``approximate="tanh"``."""
    # beyond 1e3 the tanh is 1 or -1, and the cube might overflow
    y = np.clip(x, np.float32(-1e3), np.float32(1e3))
    y *= np.float32(math.sqrt(2 / math.pi)) * (np.float32(1) + np.float32(0.044715) * np.square(y))
    np.tanh(y, out=y)
    y += np.float32(1)
    y *= np.float32(0.5)
    y *= x
    return y


def sigmoid(x: Array) -> Array:
    """Turn scores into independent probabilities: 1 / (1 + exp(-x)), accurate for small ones, too."""
    # exp(x) / (1 + exp(x)) where x is negative, so nothing overflows
    y: Array = np.exp(np.minimum(x, np.float32(0)))
    y /= np.float32(1) + np.exp(-np.abs(x))
    return y


def relu(x: Array) -> Array:
    """Replace negative numbers by 0."""
    y: Array = np.maximum(x, np.float32(0))
    return y


def attention(
    q: Array, k: Array, v: Array, mask: Array | None = None, shared: tuple[Array, Array] | None = None
) -> Array:
    """Mix the values by how well queries match keys (Vaswani et al., 2017, eq. 1).

    Parameters
    ----------
    q : ndarray of shape (h, k, b, n)
        Queries, already divided by the root of k.
    k, v : ndarray of shape (h, k, b, m)
        Keys and values of the same input.
    mask : ndarray of shape (n, s + m), (b, n, s + m) or (h, b, n, s + m), optional
        Added to the scores; b and n may be 1.
    shared : pair of ndarrays of shape (h, k, s), optional
        Keys and values of a prefix that all inputs share.

    Returns
    -------
    ndarray of shape (h, k, b, n)
    """
    mixed = np.empty_like(q, order="C")
    step = max(_PIECE // max(q[0, 0].size * k.shape[-1], 1), 1)
    for start in range(0, len(q), step):
        heads = slice(start, start + step)
        before = None if shared is None else (shared[0][heads], shared[1][heads])
        added = mask[heads] if mask is not None and mask.ndim == 4 else mask
        _attend(q[heads], k[heads], v[heads], added, before, mixed[heads])
    return mixed


def _attend(q: Array, k: Array, v: Array, mask: Array | None, shared: tuple[Array, Array] | None, mixed: Array) -> None:
    h, width, b, n = q.shape
    s = 0 if shared is None else shared[0].shape[-1]
    scores = np.empty((h, b, n, s + k.shape[-1]), np.float32)
    np.matmul(q.transpose(0, 2, 3, 1), k.transpose(0, 2, 1, 3), out=scores[..., s:])  # (h, b, n, k) (h, b, k, m)
    if shared is not None:
        every = scores.reshape(h, b * n, -1)[..., :s]
        np.matmul(q.reshape(h, width, b * n).swapaxes(1, 2), shared[0], out=every)  # (h, b n, k) (h, k, s)
    if mask is not None:
        scores += mask
    _softmax_in_place(scores)
    np.matmul(v.transpose(0, 2, 1, 3), scores[..., s:].swapaxes(2, 3), out=mixed.transpose(0, 2, 1, 3))
    if shared is not None:
        mixed += (shared[1] @ every.swapaxes(1, 2)).reshape(mixed.shape)  # (h, k, s) (h, s, b n)


def causal_mask(n: int) -> Array:
    """Return the mask (n, n) of causal attention: 0 for a token and those before it, minus infinity after it."""
    return np.triu(np.full((n, n), -np.inf, np.float32), 1)
