"""IMAGE → THUMBNAIL."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from typing import TYPE_CHECKING

from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.open import Picture, decoded
from numpyclip.images.rgb import on_white
from numpyclip.videos.container import is_video_name
from numpyclip.videos.frames import frame_at
from numpyclip.videos.named_moment import Moment, moment_of
from numpyclip.videos.video_options import VideoOptions

if TYPE_CHECKING:
    from PIL import Image


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    """Scale an image, on white, to fit into a square; each side stays one pixel or more."""
    from PIL.Image import Resampling

    scale = side / max(image.size)
    width, height = (max(1, min(side, round(length * scale))) for length in image.size)
    return on_white(image).resize((width, height), Resampling.LANCZOS, reducing_gap=3)


def read_thumbnail(
    picture: Picture, side: int, options: DecodeOptions = DEFAULTS, *, enlarging: bool = True
) -> Image.Image:
    """Open an image, a JPEG file at a reduced size, or a frame of a video such as ``clip.mp4@12.5``, and scale it.

    PictureError if it cannot be read.
    """
    with _opened(picture, side, options) as image:
        small = thumbnail(image, side if enlarging else min(side, max(image.size)))
        del image
    return small


def _opened(picture: Picture, side: int, options: DecodeOptions) -> AbstractContextManager[Image.Image]:
    name = os.fsdecode(picture) if isinstance(picture, str | os.PathLike) else ""
    moment = moment_of(name) or (Moment(name, 0.0) if is_video_name(name) else None)
    if moment is None:
        return decoded(picture, options, draft_size=side)
    return nullcontext(frame_at(moment.path, moment.seconds, side, VideoOptions(max_pixels=options.max_pixels)))


def thumbnail_bytes(path: str | bytes, size: int, options: DecodeOptions, seconds: float | None = None) -> bytes:
    """Encode an image as JPEG without metadata, on white, its longer side at most `size` pixels.

    Of a video, the frame at some seconds; by default the first one.

    Raises
    ------
    PictureError
        If the file cannot be read as an image.
    """
    stream = BytesIO()
    picture = path if seconds is None or isinstance(path, bytes) else f"{path}@{seconds:.6f}"
    small = read_thumbnail(picture, size, options, enlarging=False)
    small.info = {}  # Pillow would write the EXIF data, profiles and comments from there
    small.save(stream, "JPEG", quality=82, optimize=True)
    return stream.getvalue()
