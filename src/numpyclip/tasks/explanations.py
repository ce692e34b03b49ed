"""IMAGE, TEXT → HEAT MAP: which parts of an image matter for a text, for models of every kind.

Sliding windows hide parts of the image (Zeiler and Fergus, 2014, section 4.2), and larger ones show only a part. A part
matters if the cosine falls when it is hidden, and is high when it is shown alone. Only embeddings are needed, neither
gradients nor attention. The random masks of RISE (Petsiuk et al., 2018) find things about as well for as many
embeddings; windows need no seed. tools/compare_explanations.py repeats the comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import whole_number
from numpyclip.dual_encoder.clip import CLIP, check_model
from numpyclip.errors import InputError
from numpyclip.images.open import Picture, name_of, open_picture
from numpyclip.images.views import VIEWS, PictureView, View, checked_views, views_of
from numpyclip.model.ops import Array
from numpyclip.runtime.chunks import batched, checked_batch_size
from numpyclip.runtime.finite_embeddings import checked_finite

if TYPE_CHECKING:
    from PIL import Image

_HIDDEN, _SHOWN = 2, 4  # sides of the windows, in cells
_MOST_CELLS = 64  # a side, which takes 12,000 embeddings


def explain(  # noqa: PLR0913  options of one kind each
    model: CLIP,
    image: Picture,
    texts: str | Sequence[str],
    *,
    grid: int = 8,
    batch_size: int = 32,
    view: str = "crop",
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Array:
    """Compute how much each pixel of an image matters for a text.

    Parameters
    ----------
    model : CLIP
    image : path, bytes, PIL image or array of uint8
        Its EXIF orientation is applied, also to the map.
    texts : str or sequence of str
        Several cost no more than one.
    grid : int, default=8
        Cells a side that the crop is divided into, 4 to 64. Windows hide 2 by 2 of them and show 4 by 4. More cells
        find smaller things, and take longer: about 3 * grid**2 embeddings.
    batch_size : int, default=32
        Masked images in memory at once.
    view : str, default="crop"
        What is explained: "crop", "pad", "squash" or a tile such as "left", as `best_views` and `Match.part` name them.
    progress : callable, optional
        Wraps the sequence of windows, as `tqdm.tqdm` does.

    Returns
    -------
    ndarray of shape (y, x), dtype=float32, or (n_texts, y, x) for several texts
        For each pixel of the image, its contribution to the cosine, minus the mean over the cells; NaN outside the
        view. Deterministic.

    Raises
    ------
    InputError, PictureError, TextTooLongError
        If an argument is out of range, or the image or a text cannot be used.

    Notes
    -----
    A map does not show that the text applies: it has a maximum for any text. Its edges are as coarse as the cells.
    """
    check_model(model)
    count = whole_number(grid)
    if count is None or not _SHOWN <= count <= _MOST_CELLS:
        raise InputError(f"grid is {grid!r:.60}; expected an integer from {_SHOWN} to {_MOST_CELLS}.")
    size = checked_batch_size(batch_size)
    targets = model.embed_texts(texts)
    opened = open_picture(image)
    chosen = _chosen(_views(model, opened, VIEWS), view or "crop", name_of(opened))
    crop = chosen.crop(opened)
    hidden, shown = _windows(count, _HIDDEN), _windows(count, _SHOWN)
    kept = np.concatenate([~hidden, shown])
    cosines = np.empty((len(kept), len(targets)), np.float32)
    for rows in batched(progress(range(len(kept))), size):
        embeddings = model.embed_pixels([_masked(crop, cells) for cells in kept[rows]])
        cosines[rows] = checked_finite(embeddings, lambda _: name_of(opened)) @ targets.T
    heat = _mean_by_cell(-cosines[: len(hidden)], hidden) + _mean_by_cell(cosines[len(hidden) :], shown)
    heat -= heat.mean(axis=(1, 2), keepdims=True)
    maps = _in_image(heat, chosen.seen(*opened.size), opened.size)
    return maps[0] if isinstance(texts, str) else maps


def best_views(model: CLIP, image: Picture, texts: str | Sequence[str], views: str | Iterable[str]) -> list[str]:
    """Choose for each text the view of an image whose cosine is highest, as a search does.

    Parameters
    ----------
    model, image, texts
        As in `explain`.
    views : {"crop", "pad", "squash", "tiles"} or iterable of them

    Returns
    -------
    list of str
        Their names: "crop", or a tile such as "left".
    """
    check_model(model)
    targets, opened = model.embed_texts(texts), open_picture(image)
    found = _views(model, opened, checked_views(views))
    embeddings = model.embed_pixels([view.crop(opened) for view in found])
    best = (checked_finite(embeddings, lambda _: name_of(opened)) @ targets.T).argmax(axis=0)
    return [found[row].name for row in best]


def _views(model: CLIP, image: Image.Image, views: Sequence[View]) -> list[PictureView]:
    return views_of(model.preprocess, views, *image.size)


def _chosen(views: Sequence[PictureView], name: str, image: str) -> PictureView:
    for view in views:
        if view.name == name:
            return view
    names = ", ".join(view.name for view in views)
    raise InputError(f"{image}: has no view {name!r:.60}; expected one of {names}.")


def _windows(grid: int, side: int) -> NDArray[np.bool_]:
    """Mark the cells of every square window that overlaps the grid: -> (windows, grid, grid)."""
    spans = np.arange(grid) - np.arange(1 - side, grid)[:, np.newaxis]  # (positions, grid)
    within = (spans >= 0) & (spans < side)
    windows: NDArray[np.bool_] = within[:, np.newaxis, :, np.newaxis] & within[np.newaxis, :, np.newaxis, :]
    return windows.reshape(-1, grid, grid)


def _masked(crop: NDArray[np.uint8], kept: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Keep some cells of a crop (y, x, 3); the rest becomes its mean color."""
    rows, columns = (np.arange(side) * len(kept) // side for side in crop.shape[:2])
    mean = np.rint(crop.mean(axis=(0, 1))).astype(np.uint8)
    return np.where(kept[rows][:, columns, np.newaxis], crop, mean)


def _mean_by_cell(scores: Array, windows: NDArray[np.bool_]) -> Array:
    """Average over the windows that contain a cell: (windows, n), (windows, y, x) -> (n, y, x)."""
    cells = windows.astype(np.float32)
    mean: Array = np.tensordot(scores.T, cells, axes=1) / cells.sum(axis=0)
    return mean


def _in_image(heat: Array, view: tuple[float, float, float, float], size: tuple[int, int]) -> Array:
    """Resize maps of the crop, (n, y, x), to the pixels of the image, by linear interpolation between cell centers."""
    left, top, right, bottom = view
    rows = _weights(heat.shape[1], top, bottom, size[1])
    columns = _weights(heat.shape[2], left, right, size[0])
    maps: Array = rows @ heat @ columns.T
    return maps


def _weights(cells: int, start: float, end: float, pixels: int) -> Array:
    """Return the interpolation weights of the cells, along one side: -> (pixels, cells), NaN outside the crop."""
    positions = (np.arange(pixels) + 0.5 - start) / (end - start) * cells - 0.5
    near = 1 - np.abs(positions.clip(0, cells - 1)[:, np.newaxis] - np.arange(cells))
    weights: Array = near.clip(min=0).astype(np.float32)
    weights[(positions < -0.5) | (positions > cells - 0.5)] = np.nan
    return weights
