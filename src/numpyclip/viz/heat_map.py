"""HEAT → PICTURE: a map of `explain` laid over the picture in colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.images.preprocess import on_white
from numpyclip.model.ops import Array

if TYPE_CHECKING:
    from PIL import Image

# From cold to hot. Lightness grows from 0.20 to 0.94 while the hue turns from violet by red to yellow, in steps that
# are equally far apart in OKLab (Ottosson, 2020), where distances are what people see, also in shades of grey.
COLOURS = np.array(
    [
        *((22, 0, 71), (43, 3, 86), (65, 5, 99), (89, 7, 107), (114, 9, 111), (140, 12, 110), (164, 20, 106)),
        *((186, 34, 98), (206, 52, 88), (224, 70, 75), (239, 90, 59), (249, 113, 44), (252, 139, 47), (253, 165, 66)),
        *((253, 190, 89), (254, 214, 113), (254, 237, 137)),
    ],
    np.float32,
)
_OPACITY = np.float32(0.6)  # of the colours
_PALE = np.float32(0.35)  # what is left of the picture where there is no heat


def colours(levels: Array) -> Array:
    """Colour numbers of 0..1: (...) -> (..., 3) in 0..255."""
    places = np.asarray(levels, np.float32).clip(0, 1) * (len(COLOURS) - 1)
    below = np.minimum(places.astype(int), len(COLOURS) - 2)
    part = (places - below)[..., np.newaxis]
    mixed: Array = COLOURS[below] * (1 - part) + COLOURS[below + 1] * part
    return mixed


def overlay(image: Image.Image, heat: Array) -> Image.Image:
    """Lay heat over a picture in shades of grey.

    Parameters
    ----------
    image : PIL.Image.Image
        Turned already, as `numpyclip.images.open.open_picture` does.
    heat : ndarray of shape (y, x), dtype=float32
        From `explain`: the least becomes violet, the most yellow. Where it is NaN the picture is pale.

    Returns
    -------
    PIL.Image.Image
        RGB, of the same size.

    Raises
    ------
    InputError
        If the heat has another shape than the picture.
    """
    from PIL import Image

    if heat.shape != image.size[::-1]:
        raise InputError(f"the heat has shape {heat.shape}; expected {image.size[::-1]}, that of the picture.")
    grey = np.asarray(on_white(image).convert("L"), np.float32)[..., np.newaxis]
    seen = ~np.isnan(heat)
    drawn = np.broadcast_to(255 + _PALE * (grey - 255), (*heat.shape, 3)).copy()
    drawn[seen] = grey[seen] * (1 - _OPACITY) + colours(_levels(heat[seen])) * _OPACITY
    pixels: NDArray[np.uint8] = np.rint(drawn).astype(np.uint8)
    return Image.fromarray(pixels)


def _levels(heat: Array) -> Array:
    """Stretch to 0..1; what is the same everywhere is cold."""
    if not heat.size:
        return heat
    spread = heat.max() - heat.min()
    levels: Array = (heat - heat.min()) / (spread if spread > 0 else np.float32(1))
    return levels
