"""HEAT MAP → PICTURE: a map of `explain` as colors over the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.images.rgb import on_white
from numpyclip.model.ops import Array

if TYPE_CHECKING:
    from PIL import Image

# From cold to hot: violet, red, yellow, in equal steps of OKLab (Ottosson, 2020), a perceptually uniform space, with
# lightness from 0.20 to 0.94, so that they are also ordered in shades of gray.
COLOURS = np.array(
    [
        *((22, 0, 71), (43, 3, 86), (65, 5, 99), (89, 7, 107), (114, 9, 111), (140, 12, 110), (164, 20, 106)),
        *((186, 34, 98), (206, 52, 88), (224, 70, 75), (239, 90, 59), (249, 113, 44), (252, 139, 47), (253, 165, 66)),
        *((253, 190, 89), (254, 214, 113), (254, 237, 137)),
    ],
    np.float32,
)
_OPACITY = np.float32(0.6)  # of the colors
_PALE = np.float32(0.35)  # contrast of the image where the map is NaN


def colours(levels: Array) -> Array:
    """Map numbers in 0..1 to colors: (...) -> (..., 3) in 0..255."""
    positions = np.asarray(levels, np.float32).clip(0, 1) * (len(COLOURS) - 1)
    below = np.minimum(positions.astype(int), len(COLOURS) - 2)
    part = (positions - below)[..., np.newaxis]
    mixed: Array = COLOURS[below] * (1 - part) + COLOURS[below + 1] * part
    return mixed


def overlay(image: Image.Image, heat: Array) -> Image.Image:
    """Draw a heat map over an image in shades of gray.

    Parameters
    ----------
    image : PIL.Image.Image
        With its EXIF orientation applied.
    heat : ndarray of shape (y, x), dtype=float32
        From `explain`: its minimum becomes violet, its maximum yellow. Where it is NaN the image is pale.

    Returns
    -------
    PIL.Image.Image
        RGB, of the same size.

    Raises
    ------
    InputError
        If the map has another shape than the image.
    """
    from PIL import Image

    if heat.shape != image.size[::-1]:
        raise InputError(f"the heat map has shape {heat.shape}; expected {image.size[::-1]}, that of the image.")
    grey = np.asarray(on_white(image).convert("L"), np.float32)[..., np.newaxis]
    seen = ~np.isnan(heat)
    drawn = np.broadcast_to(255 + _PALE * (grey - 255), (*heat.shape, 3)).copy()
    drawn[seen] = grey[seen] * (1 - _OPACITY) + colours(_levels(heat[seen])) * _OPACITY
    pixels: NDArray[np.uint8] = np.rint(drawn).astype(np.uint8)
    return Image.fromarray(pixels)


def _levels(heat: Array) -> Array:
    """Scale to 0..1; a constant map becomes 0."""
    if not heat.size:
        return heat
    spread = heat.max() - heat.min()
    levels: Array = (heat - heat.min()) / (spread if spread > 0 else np.float32(1))
    return levels
