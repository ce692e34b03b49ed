"""Which parts of a picture matter for a text: a heat map, for models of every kind.

Sliding windows hide parts of the picture (Zeiler and Fergus, 2014, section 4.2), and larger ones show nothing but a
part. What falls when it is hidden, and stands out when it is alone, matters. Only embeddings are looked at, no gradient
and no inside of the model. The random masks of RISE (Petsiuk et al., 2018) find things about as well for as many
embeddings, one way or the other by model; windows need no seed. tools/compare_explanations.py repeats the comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import whole_number
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.images.open import Picture, open_picture
from numpyclip.model.ops import Array
from numpyclip.runtime.chunks import batched, checked_batch_size

_HIDDEN, _SHOWN = 2, 4  # sides of the windows, in cells
_MOST_CELLS = 64  # a side: thousands of pictures are embedded for these already


def explain(
    model: CLIP,
    picture: Picture,
    texts: str | Sequence[str],
    *,
    grid: int = 8,
    batch_size: int = 32,
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Array:
    """Say how much each place of a picture matters for a text.

    Parameters
    ----------
    model : CLIP
    picture : picture
        A path, bytes of a file, a PIL image or an array, as in `CLIP.embed_images`. It is turned as its EXIF
        orientation says, and the map with it.
    texts : str or sequence of str
        Several cost no more than one.
    grid : int, default=8
        Cells a side that the crop is cut into, 4 to 64. Windows hide 2 by 2 of them and show 4 by 4, so that more cells
        find smaller things, and take longer: about 3 * grid**2 embeddings.
    batch_size : int, default=32
        Masked pictures made at once.
    progress : callable, optional
        Put around the sequence of windows, to count them: `tqdm.tqdm`, for one.

    Returns
    -------
    ndarray of shape (y, x), dtype=float32, or (n_texts, y, x) for several texts
        In pixels of the picture: how much more a place adds to the cosine than the mean of all does. What the model
        does not see, outside its crop, is NaN. The same arguments give the same map.

    Raises
    ------
    InputError, PictureError, TextTooLongError
        If the grid is none, or the picture or texts cannot be used.

    Notes
    -----
    Maps say where the model finds what it takes for the text, not that it is there: they have a hottest place for any
    text at all. Their edges are as coarse as the cells.
    """
    count = whole_number(grid)
    if count is None or not _SHOWN <= count <= _MOST_CELLS:
        raise InputError(f"grid is {grid!r:.60}; expected a whole number from {_SHOWN} to {_MOST_CELLS}.")
    size = checked_batch_size(batch_size)
    targets = model.embed_texts(texts)
    image = open_picture(picture)
    crop = model.preprocess.crop(image)
    hidden, shown = _windows(count, _HIDDEN), _windows(count, _SHOWN)
    kept = np.concatenate([~hidden, shown])
    cosines = np.empty((len(kept), len(targets)), np.float32)
    for rows in batched(progress(range(len(kept))), size):
        cosines[rows] = model.embed_pixels([_masked(crop, cells) for cells in kept[rows]]) @ targets.T
    heat = _mean_by_cell(-cosines[: len(hidden)], hidden) + _mean_by_cell(cosines[len(hidden) :], shown)
    heat -= heat.mean(axis=(1, 2), keepdims=True)
    maps = _in_picture(heat, model.preprocess.view(*image.size), image.size)
    return maps[0] if isinstance(texts, str) else maps


def _windows(grid: int, side: int) -> NDArray[np.bool_]:
    """Mark the cells of every square window, those that stick out of the grid with them: -> (windows, grid, grid)."""
    spans = np.arange(grid) - np.arange(1 - side, grid)[:, np.newaxis]  # (places, grid)
    within = (spans >= 0) & (spans < side)
    windows: NDArray[np.bool_] = within[:, np.newaxis, :, np.newaxis] & within[np.newaxis, :, np.newaxis, :]
    return windows.reshape(-1, grid, grid)


def _masked(crop: NDArray[np.uint8], kept: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Keep some cells of a crop (y, x, 3); the rest becomes its mean colour."""
    rows, columns = (np.arange(side) * len(kept) // side for side in crop.shape[:2])
    mean = np.rint(crop.mean(axis=(0, 1))).astype(np.uint8)
    return np.where(kept[rows][:, columns, np.newaxis], crop, mean)


def _mean_by_cell(scores: Array, windows: NDArray[np.bool_]) -> Array:
    """Average over the windows that contain a cell: (windows, n), (windows, y, x) -> (n, y, x)."""
    cells = windows.astype(np.float32)
    mean: Array = np.tensordot(scores.T, cells, axes=1) / cells.sum(axis=0)
    return mean


def _in_picture(heat: Array, view: tuple[float, float, float, float], size: tuple[int, int]) -> Array:
    """Draw cells of the crop, (n, y, x), at the size of the picture: between centres of cells linearly."""
    left, top, right, bottom = view
    rows = _weights(heat.shape[1], top, bottom, size[1])
    columns = _weights(heat.shape[2], left, right, size[0])
    maps: Array = rows @ heat @ columns.T
    return maps


def _weights(cells: int, start: float, end: float, pixels: int) -> Array:
    """Say how much of each cell's heat each pixel has, along one side: -> (pixels, cells), NaN outside the crop."""
    places = (np.arange(pixels) + 0.5 - start) / (end - start) * cells - 0.5
    near = 1 - np.abs(places.clip(0, cells - 1)[:, np.newaxis] - np.arange(cells))
    weights: Array = near.clip(min=0).astype(np.float32)
    weights[(places < -0.5) | (places > cells - 0.5)] = np.nan
    return weights
