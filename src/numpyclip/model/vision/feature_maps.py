"""Arithmetic of feature maps: convolutions, pooling, patches.

Images of a batch are innermost, (c, y, x, b), so that shifted ones are copied in long runs.

Letters: b batch, c channels, y rows, x columns, e channels of the result.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import ops
from numpyclip.model.ops import Array

_BAND = 8  # rows of the result that one product of a depthwise convolution makes
_PIECE = 2**17  # numbers that are computed at a time, to stay in the cache: 512 KiB


def patches(image: NDArray[Any], size: int) -> Array:
    """Cut images into square patches: (b, c, y, x) -> (c size size, b, tokens), tokens row by row."""
    b, c, y, x = image.shape
    whole = image[:, :, : y // size * size, : x // size * size]  # an incomplete patch at the edge is dropped
    grid = whole.reshape(b, c, y // size, size, x // size, size)
    rows = np.empty((b, y // size, x // size, c, size, size), np.float32)  # a patch is a row: pixels are copied in runs
    rows[...] = grid.transpose(0, 2, 4, 1, 3, 5)
    columns: Array = rows.reshape(-1, c * size * size).T.reshape(c * size * size, b, -1)
    return columns


def convolve3x3(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
    """Convolve with zero padding: (c, y, x, b) -> (e, y / stride, x / stride, b), with a weight (e, c 3 3)."""
    c, rows, columns, b = x.shape
    padded = np.zeros((c, rows + 2, columns + 2, b), np.float32)
    padded[:, 1:-1, 1:-1] = x
    windows = np.empty((c, 3, 3, -(-rows // stride), -(-columns // stride), b), np.float32)
    for i in range(3):
        for j in range(3):
            windows[:, i, j] = padded[:, i : i + rows : stride, j : j + columns : stride]
    return ops.linear(windows.reshape(9 * c, *windows.shape[3:]), weight, bias)


def average_pool(x: Array) -> Array:
    """Average squares of 2 by 2 pixels: (c, y, x, b) -> (c, y // 2, x // 2, b); an odd row or column is dropped."""
    x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
    rows = x[:, ::2] + x[:, 1::2]
    y: Array = rows[:, :, ::2] + rows[:, :, 1::2]
    y *= np.float32(0.25)
    return y


def average_pool3x3(x: Array) -> Array:
    """Average windows of 3 by 3 pixels around every other one: (c, y, x, b) -> (c, y / 2, x / 2, b), rounded up.

    Pixels beyond the edges do not count.
    """
    for axis in (1, 2):
        x = np.moveaxis(x, axis, 1)
        sums = x[:, ::2].copy()
        counts = np.ones(sums.shape[1], np.float32)
        for part, place in ((x[:, 1::2], slice(0, x.shape[1] // 2)), (x[:, 1:-1:2], slice(1, None))):
            sums[:, place] += part
            counts[place] += 1
        sums /= counts.reshape(-1, 1, 1)
        x = np.moveaxis(sums, 1, axis)
    return np.ascontiguousarray(x)


def squares(x: Array, size: int) -> Array:
    """Cut maps into squares, complete ones only: (c, y, x, b) -> (c size size, y // size, x // size, b)."""
    c, rows, columns, b = x.shape
    y, z = rows // size, columns // size
    grid = x[:, : y * size, : z * size].reshape(c, y, size, z, size, b)
    columns_of_squares: Array = grid.transpose(0, 2, 4, 1, 3, 5).reshape(c * size * size, y, z, b)
    return columns_of_squares


def convolve_channels(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
    """Convolve each channel by itself (depthwise), zero-padded: (c, y, x, b) -> (e, y / stride, x / stride, b).

    Each column of a filter is written as a band matrix, whose product with rows of the map is some rows of the result.
    Most of such a matrix is 0, and yet the products take a fifth of the time of adding up 49 shifted maps.
    The weight (e, k, k) has one filter per channel, or several; k is odd.
    """
    c, rows, columns, b = x.shape
    k = weight.shape[-1]
    y, z = -(-rows // stride), -(-columns // stride)
    tiles = -(-y // _BAND)
    band = -(-y // tiles)  # rows of the result per product
    bands = _bands(weight.reshape(c, -1, k, k), band, stride)  # (c, m, k, band, window)
    m, window = bands.shape[1], bands.shape[-1]
    result = np.empty((c, m, tiles, band, z * b), np.float32)
    step = max(_PIECE // result[0].size, 1)
    for start in range(0, c, step):
        part = slice(start, start + step)
        phases = _phases(x[part], stride * (tiles * band - 1) + k, k, stride)  # (stride, n, y', x', b)
        runs = phases.reshape(*phases.shape[:3], -1)  # shifted columns are shifted runs of images
        windows = np.lib.stride_tricks.sliding_window_view(runs, window, axis=2)  # (stride, n, tops, x' b, window)
        windows = windows[:, :, :: stride * band].swapaxes(3, 4)
        sums = result[part].swapaxes(1, 2)  # (n, tiles, m, band, x b)
        sums[...] = bias.reshape(c, 1, m, 1, 1)[part]
        for j in range(k):
            shifted = windows[j % stride, :, :, np.newaxis, :, j // stride * b : (j // stride + z) * b]
            sums += bands[part, np.newaxis, :, j] @ shifted
    return result.reshape(len(weight), tiles * band, z, b)[:, :y]


def _bands(weight: Array, rows: int, stride: int) -> Array:
    """Write the columns of filters as band matrices: (c, m, k, k) -> (c, m, k, rows, stride (rows - 1) + k)."""
    c, m, k, _ = weight.shape
    bands = np.zeros((c, m, k, rows, stride * (rows - 1) + k), np.float32)
    for row in range(rows):
        bands[:, :, :, row, stride * row : stride * row + k] = weight.swapaxes(2, 3)
    return bands


def _phases(x: Array, height: int, k: int, stride: int) -> Array:
    """Zero-pad maps, and part their columns by index modulo stride: (c, y, x, b) -> (stride, c, height, x', b)."""
    c, rows, columns, b = x.shape
    border = k // 2
    width = -(-columns // stride) + (k - 1) // stride
    phases = np.zeros((stride, c, height, width, b), np.float32)
    for phase in range(stride):
        first = (phase - border) % stride  # the first column of this phase lies so far into the image
        place = (first + border) // stride
        taken = x[:, :, first::stride]
        phases[phase, :, border : border + rows, place : place + taken.shape[2]] = taken
    return phases
