"""IMAGE → THUMBNAIL."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

from numpyclip.images.animation import frame_shown_at
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.open import Picture, decoded
from numpyclip.images.rgb import on_white
from numpyclip.videos.container import is_video_name
from numpyclip.videos.frames import frame_at
from numpyclip.videos.video_options import VideoOptions

if TYPE_CHECKING:
    from PIL import Image

_MAX_SECONDS = 10.0  # to find a frame: somebody waits for it


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    """Scale an image, on white, to fit into a square; each side stays one pixel or more."""
    from PIL.Image import Resampling

    scale = side / max(image.size)
    width, height = (max(1, min(side, round(length * scale))) for length in image.size)
    return on_white(image).resize((width, height), Resampling.LANCZOS, reducing_gap=3)


def read_thumbnail(
    picture: Picture,
    side: int,
    options: DecodeOptions = DEFAULTS,
    *,
    seconds: float | None = None,
    enlarging: bool = True,
) -> Image.Image:
    """Open an image, a JPEG file at a reduced size, or a moment of a video or an animation, and scale it.

    PictureError if it cannot be read.
    """
    with _opened(picture, side, options, seconds) as image:
        small = thumbnail(image, side if enlarging else min(side, max(image.size)))
        del image
    return small


def _opened(
    picture: Picture, side: int, options: DecodeOptions, seconds: float | None
) -> AbstractContextManager[Image.Image]:
    if isinstance(picture, str | os.PathLike) and is_video_name(path := os.fsdecode(picture)):
        limits = replace(VideoOptions.of(options), max_seconds=_MAX_SECONDS)
        return nullcontext(frame_at(path, seconds or 0.0, side, limits))
    if seconds is not None and isinstance(picture, str | bytes):
        return nullcontext(frame_shown_at(picture, seconds, options))
    return decoded(picture, options, draft_size=side)


def thumbnail_bytes(path: str | bytes, size: int, options: DecodeOptions, seconds: float | None = None) -> bytes:
    """Encode an image as JPEG without metadata, on white, its longer side at most `size` pixels.

    Of a video or an animation, the frame at some seconds; of a video, where that takes too long, one before; by default
    the first one.

    Raises
    ------
    PictureError
        If the file cannot be read as an image.
    """
    stream = BytesIO()
    small = read_thumbnail(path, size, options, seconds=seconds, enlarging=False)
    small.info = {}  # Pillow would write the EXIF data, profiles and comments from there
    small.save(stream, "JPEG", quality=82, optimize=True)
    return stream.getvalue()
