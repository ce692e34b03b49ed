"""ANIMATED IMAGE → FRAMES, one after another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from numpyclip.errors import PictureError
from numpyclip.images.decode_memory import DECODE_MEMORY, decoding_memory
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.formats import identify
from numpyclip.images.open import errors_named
from numpyclip.images.orientation import oriented
from numpyclip.images.pillow_limits import watched
from numpyclip.regular_file import open_regular

if TYPE_CHECKING:
    from PIL import Image

MOST_FRAMES = 1000

_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")  # other formats have pages, views or bursts
_LEAST_SECONDS = 0.01  # for which a frame is shown; browsers show those of less for the usual time
_USUAL_SECONDS = 0.1


class Frame(NamedTuple):
    """A frame of an animation.

    Attributes
    ----------
    seconds : float
        Since the first one, when it is shown first.
    image : PIL.Image.Image
        All of the image that is seen then.
    """

    seconds: float
    image: Image.Image


def iter_frames(
    source: str | os.PathLike[str] | bytes,
    options: DecodeOptions = DEFAULTS,
    *,
    most: int = MOST_FRAMES,
    name: str | None = None,
) -> Iterator[Frame]:
    """Decode the frames of an animated GIF, PNG, WebP or AVIF while they are iterated over; of other files, the image.

    Memory does not grow with their number: a frame is decoded when it is asked for.

    Parameters
    ----------
    source : path or bytes
    options : DecodeOptions, optional
    most : int, default=1000
        Maximum number of frames; later ones are not decoded.
    name : str, optional
        Of the image in messages; by default its path.

    Yields
    ------
    Frame

    Raises
    ------
    PictureError
        If the file, or the next frame, cannot be read.
    """
    name = name or ("an animation" if isinstance(source, bytes) else os.fsdecode(source))
    with ExitStack() as opened:
        seconds, image = 0.0, None
        for number in range(most):
            with watched(name, options) as watch, errors_named(name):
                if image is None:
                    file = BytesIO(source) if isinstance(source, bytes) else opened.enter_context(open_regular(source))
                    image = opened.enter_context(identify(file))
                    first = 1 if image.info.get("default_image") else 0  # of PNG, which stands outside of the animation
                if not _found(image, first + number):
                    return
                watch.check_size(image.size)
                watch.check_memory(decoding_memory(image))
                with DECODE_MEMORY.take(decoding_memory(image)):
                    image.load()
                    shown = oriented(image) if options.orient else image
                    frame = Frame(seconds, shown.copy() if shown is image else shown)
                shown_for = (image.info.get("duration") or 0) / 1000
            yield frame
            seconds += shown_for if shown_for > _LEAST_SECONDS else _USUAL_SECONDS


def is_animation(data: bytes, options: DecodeOptions, name: str) -> bool:
    """Tell whether a file is an animated GIF, PNG, WebP or AVIF; PictureError if it is no image."""
    with watched(name, options), errors_named(name), identify(BytesIO(data)) as image:
        return image.format in _ANIMATED and bool(getattr(image, "is_animated", False))


def frame_shown_at(source: str | bytes, seconds: float, options: DecodeOptions) -> Image.Image:
    """Return the frame of an animation that is shown at a time, to milliseconds, or the last one that can be read.

    PictureError if there is none.
    """
    shown = None
    try:
        for frame in iter_frames(source, options):
            if shown is not None and round(frame.seconds, 3) > seconds:
                break
            shown = frame.image
    except PictureError:
        if shown is None:
            raise
    assert shown is not None
    return shown


def _found(image: Image.Image, number: int) -> bool:
    """Go to a frame; tell whether there is one."""
    if number == 0:
        return True
    if image.format not in _ANIMATED:
        return False
    try:
        image.seek(number)
    except EOFError:
        return False
    return True
