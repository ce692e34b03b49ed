"""PICTURE → PICTURE: a small one for a page, a chart, a map or a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpyclip.images.preprocess import on_white

if TYPE_CHECKING:
    from PIL import Image


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    """Scale a picture, on white, until it fits into a square; no side becomes shorter than one pixel."""
    from PIL.Image import Resampling

    scale = side / max(image.size)
    width, height = (max(1, min(side, round(length * scale))) for length in image.size)
    return on_white(image).resize((width, height), Resampling.LANCZOS, reducing_gap=3)
