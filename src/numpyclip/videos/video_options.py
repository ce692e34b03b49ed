"""Which frames of a video are taken, and how much of it is decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpyclip.arguments import positive
from numpyclip.errors import InputError
from numpyclip.images.decode_options import MAX_PIXELS, DecodeOptions

_FRAMES = 4  # of how many an image may have the pixels: a decoder holds up to twenty of them


@dataclass(frozen=True)
class VideoOptions:
    """Options of videos.

    Attributes
    ----------
    every : float
        Seconds between frames, at most; longer in videos that would have more than `max_frames`.
    max_frames : int
        Maximum number of frames of a video.
    max_seconds : float
        Maximum time to decode a video, in seconds of this thread and its decoders; the rest of it is left out.
    max_pixels : int
        Videos with more pixels a frame are refused: 62.5 million, a quarter of what images may have.

    Raises
    ------
    InputError
        If one of them is not above 0.
    """

    every: float = 5.0
    max_frames: int = 3000
    max_seconds: float = 1800.0
    max_pixels: int = MAX_PIXELS // _FRAMES

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("every", "max_seconds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise InputError(f"{name} is {value!r:.60}; expected seconds above 0.")
        for name in ("max_frames", "max_pixels"):
            positive(getattr(self, name), name)

    @classmethod
    def of(cls, options: DecodeOptions) -> VideoOptions:
        """Return those that belong to options of images."""
        return cls(max_pixels=max(1, options.max_pixels // _FRAMES))


DEFAULTS = VideoOptions()
