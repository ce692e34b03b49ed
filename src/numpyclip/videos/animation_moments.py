"""ANIMATED IMAGE → MOMENTS: frames where the image changes, as those of a video; they need no PyAV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import PictureError
from numpyclip.images.animation import is_animation, iter_frames
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.preprocess import Preprocess
from numpyclip.videos.changes import LUMA_SIDE, changes
from numpyclip.videos.video_options import DEFAULTS

if TYPE_CHECKING:
    from PIL import Image


def read_moments(
    preprocess: Preprocess, data: bytes, options: DecodeOptions, name: str
) -> dict[float, NDArray[np.uint8]]:
    """Read the pixels of the moments of an animation by their seconds, those before a frame that is damaged.

    There are none of an image that is no animation, or in which nothing changes.

    Raises
    ------
    PictureError
        If it, or its first frame, cannot be read.
    """
    found: dict[float, NDArray[np.uint8]] = {}
    if not is_animation(data, options, name):
        return found
    try:
        for seconds, image in changes(iter_frames(data, options, name=name), _luma_of, DEFAULTS.every):
            found[round(seconds, 3)] = preprocess.crop(image)
    except PictureError:
        if not found:
            raise
    return found if len(found) > 1 else {}


def _luma_of(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image.convert("L").resize((LUMA_SIDE, LUMA_SIDE)), np.float32)
