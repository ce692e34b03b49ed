"""How image files are decoded: one record, which every command and every task hands on as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from numpyclip.arguments import positive

MAX_PIXELS = 250_000_000  # the largest sensors of phones have 200 megapixels


@dataclass(frozen=True)
class DecodeOptions:
    """Options of decoding.

    Attributes
    ----------
    orient : bool
        Apply the EXIF orientation.
    draft : bool
        Decode large JPEG files at a reduced size.
    max_pixels : int
        Images with more pixels are refused before they are decoded.
    strict_files : bool
        Refuse files whose end is missing, also where nearly all of the image is there.
    develop_raw : bool
        Develop the samples of RAW files, also where a preview is in them.
    max_memory : int or None
        Images that need more bytes are refused before they are decoded.
    """

    orient: bool = True
    draft: bool = False
    max_pixels: int = MAX_PIXELS
    strict_files: bool = False
    develop_raw: bool = False
    max_memory: int | None = None

    def __post_init__(self) -> None:
        """Raise InputError unless some pixels are allowed."""
        positive(self.max_pixels, "max_pixels")


DEFAULTS = DecodeOptions()
DRAFT = DecodeOptions(draft=True)
