"""IMAGE → THUMBNAIL."""

from __future__ import annotations

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


def read_thumbnail(picture: Picture, side: int, options: DecodeOptions = DEFAULTS) -> Image.Image:
    """Open an image, a JPEG file at a reduced size, and scale it; PictureError if it cannot be read."""
    with decoded(picture, options, draft_size=side) as image:
        small = thumbnail(image, side)
        del image
    return small


def thumbnail_bytes(path: str | bytes, size: int, options: DecodeOptions, seconds: float | None = None) -> bytes:
    """Encode an image as JPEG without metadata, on white, its longer side at most `size` pixels.

    Of a video or an animation, the frame at some seconds, or where that takes too long, one before; by default the
    first one.

    Raises
    ------
    PictureError
        If the file cannot be read as an image.
    """
    stream = BytesIO()
    if isinstance(path, str) and is_video_name(path):
        frame = frame_at(path, seconds or 0.0, size, replace(VideoOptions.of(options), max_seconds=_MAX_SECONDS))
        small = thumbnail(frame, min(size, max(frame.size)))
    elif seconds is not None:
        frame = frame_shown_at(path, seconds, options)
        small = thumbnail(frame, min(size, max(frame.size)))
    else:
        with decoded(path, options, draft_size=size) as picture:
            small = thumbnail(picture, min(size, max(picture.size)))
    small.info = {}  # Pillow would write the EXIF data, profiles and comments from there
    small.save(stream, "JPEG", quality=82, optimize=True)
    return stream.getvalue()
