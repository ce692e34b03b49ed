"""IMAGE → PIXELS: the preprocessing of three libraries, equal to theirs on Pillow bit for bit.

The order matters, for Pillow resizes palettes and bitmaps without interpolation, and transparency with premultiplied
colors. OpenAI (`_transform` in clip/clip.py) and OpenCLIP (open_clip/transform.py) resize, crop, and only then make
the image RGB; transformers (`PilBackend` in image_processing_backends.py) makes it RGB first, on white. jina-clip
(`encode_image` in modeling_clip.py) makes it RGB first, too, without its transparency, and then does as OpenCLIP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError, PictureError
from numpyclip.images.decode_memory import RESIZE_MEMORY
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.open import Picture, decoded, name_of, reason_of
from numpyclip.images.patches import whole_patches
from numpyclip.images.rgb import on_white, without_alpha

if TYPE_CHECKING:  # Pillow is imported when the first image arrives
    from PIL import Image

Profile: TypeAlias = Literal["openai", "open_clip", "transformers", "jina_clip"]

Interpolation: TypeAlias = Literal["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]

Size: TypeAlias = int | tuple[int, int]  # the side of a square, or height and width

# OpenAI's, of the red, green and blue channel.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

# Of the image while it is resized: a line of one pixel by 10,000 becomes 224 by 2,240,000, in Pillow's memory four
# bytes each, or one in the modes below. With transparency Pillow needs that twice.
_MAX_BYTES = 2**31
_ONE_BYTE = ("1", "L", "P")


def sides_of(size: Size) -> tuple[int, int]:
    """Return height and width."""
    return size if isinstance(size, tuple) else (size, size)


def size_of(height: int, width: int) -> Size:
    """Return the side of a square, else height and width."""
    return height if height == width else (height, width)


def in_pixels(size: Size) -> str:
    """Write a size for people: the side of a square, or width x height."""
    return f"{size[1]} x {size[0]} px" if isinstance(size, tuple) else f"{size} px"


@dataclass(frozen=True)
class Preprocess:
    """From an image to the pixels of a model: resize, crop, RGB, scale to 0..1, normalize.

    Attributes
    ----------
    size : int or tuple of 2 int
        Side of the result in pixels, or its height and width.
    profile : {"openai", "open_clip", "transformers", "jina_clip"}
        Whose transform it is. That of transformers is the one on Pillow: what it computes with torchvision, by default
        since its version 5, differs by 1 of 255 here and there.
    mean, std : tuple of 3 float
        Of the red, green and blue channel, in 0..1.
    interpolation : {"bicubic", "bilinear", "nearest", "lanczos", "box", "hamming"}
        How images are resized; all but "nearest" are antialiased.
    resize_mode : {"shortest", "squash", "longest", "patches", "crop", "none"}
        The short side becomes `size`, and the center of the long one is cut out; or both sides become `size`; or the
        long side becomes `size`, and the short one is padded; or both sides become whole patches, with no more pixels
        than a square of `size` has, so that the image keeps its shape. With a height and a width, "shortest" covers
        both, and "longest" stays within both. With "crop" the center is cut out of the image as it is; with "none" it
        must be of this size.
    fill : int
        What "longest" pads with, in 0..255, in every channel of the image's own mode.
    short_side : int or tuple of 2 int, optional
        What the short side, or with "squash" both sides, become before the center is cut out, if it is not `size`. A
        lower one leaves a black margin.
    patch_size : int, optional
        Side of the patches of "patches", in pixels.
    patch_counts : tuple of int
        Of "patches": an image becomes as many at most as the first of these that is no less than what it has, or the
        last one; if there are none, `size` decides.
    scale : float
        What 0..255 is multiplied by before it is normalized.
    """

    size: Size
    profile: Profile = "openai"
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    interpolation: Interpolation = "bicubic"
    resize_mode: Literal["shortest", "squash", "longest", "patches", "crop", "none"] = "shortest"
    fill: int = 0
    short_side: Size | None = None
    patch_size: int | None = None
    patch_counts: tuple[int, ...] = ()
    scale: float = 1 / 255

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the result, in pixels."""
        return sides_of(self.size)

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """Convert an image to the pixels that a model takes.

        Parameters
        ----------
        image : PIL.Image.Image
            Of any size and mode. The EXIF orientation is ignored, as in the reference; `open_picture` applies it.

        Returns
        -------
        ndarray of shape (3, height, width), dtype=float32
            With "patches" (3, y, x). Equal to the library's result to the last bit, for the Pillow that is installed.

        Raises
        ------
        InputError
            If it is no image of Pillow's.
        PictureError
            If it cannot be decoded, if Pillow cannot resize it or make it RGB, or if its sides differ so much
            that the resized image would not fit in memory.
        """
        scaled = (np.arange(256) * self.scale).astype(np.float32)  # multiplied in float64, as in transformers
        pixels = np.take(scaled, np.ascontiguousarray(self.crop(image).transpose(2, 0, 1)))  # (3, y, x)
        pixels -= np.array(self.mean, np.float32).reshape(3, 1, 1)
        pixels /= np.array(self.std, np.float32).reshape(3, 1, 1)
        return pixels

    def crop(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resize, crop and make RGB only: a quarter of the memory, and `encode_image` accepts it too.

        Parameters
        ----------
        image : PIL.Image.Image

        Returns
        -------
        ndarray of shape (height, width, 3), dtype=uint8
            With "patches" (y, x, 3).

        Raises
        ------
        InputError, PictureError
            As above.
        """
        _check(image)
        try:
            if self.profile == "transformers":
                return np.asarray(self._fit(on_white(image)))
            if self.profile == "jina_clip":
                return np.asarray(self._fit(without_alpha(image)))
            return np.asarray(without_alpha(self._fit(image)))
        except PictureError:
            raise
        except Exception as error:  # also those of its decoders, if it was not decoded yet
            raise PictureError(
                f"{name_of(image)}: cannot be preprocessed, its mode is {image.mode} ({reason_of(error)})."
            ) from error

    def read(
        self, picture: Picture, options: DecodeOptions = DEFAULTS, *, name: str | None = None
    ) -> NDArray[np.uint8]:
        """Open and crop an image; a draft is decoded at no less than twice the size (see `open_picture`)."""
        with decoded(picture, options, draft_size=self.draft_size(options), name=name) as image:
            self._resizing_memory(image, options.max_memory or _MAX_BYTES)
            pixels = self.crop(image)
            del image
        return pixels

    def draft_size(self, options: DecodeOptions) -> int | None:
        """Return to what sides a draft may be decoded; None if it is not to be a draft."""
        is_resized = self.resize_mode not in ("crop", "none")
        return 2 * max(sides_of(self._before_crop)) if options.draft and is_resized else None

    @property
    def _before_crop(self) -> Size:
        if self.patch_counts and self.patch_size:
            return math.isqrt(self.patch_counts[-1]) * self.patch_size
        return self.short_side or self.size

    def _fit(self, image: Image.Image) -> Image.Image:
        """Resize and cut; a line of a few pixels takes gigabytes meanwhile, which count as memory in use."""
        with RESIZE_MEMORY.take(self._resizing_memory(image, _MAX_BYTES)):
            return self._cut(self._resize(image))

    def _resizing_memory(self, image: Image.Image, most: int) -> int:
        """Compute how many bytes an image has while it is resized; PictureError if these are more than `most`."""
        width, height = self._resized_size(*image.size)
        # Pillow resizes rows first, so that for a while there are as many of them as before.
        needed = width * max(height, image.height) * (1 if image.mode in _ONE_BYTE else 4)
        if needed > most:
            raise PictureError(
                f"{name_of(image)}: is {image.width} x {image.height} pixels; it would take {needed} bytes "
                f"resized to {width} x {height}. Crop it first."
            )
        return needed

    def _resize(self, image: Image.Image) -> Image.Image:
        from PIL.Image import Resampling

        size = self._resized_size(*image.size)
        return image if image.size == size else image.resize(size, Resampling[self.interpolation.upper()])

    def _resized_size(self, width: int, height: int) -> tuple[int, int]:
        """Compute width and height before the crop.

        Fractions are rounded down, or half to even with "longest", or if a rectangle is covered.
        """
        target = self._before_crop
        if self.resize_mode in ("crop", "none"):
            return width, height
        if self.resize_mode == "squash":
            down, across = sides_of(target)
            return across, down
        if self.patch_size is not None:
            return whole_patches(width, height, self.patch_size, self._most_patches(width, height, self.patch_size))
        if self.resize_mode == "longest" or isinstance(target, tuple):
            down, across = self.sides
            ratio = (max if self.resize_mode == "longest" else min)(height / down, width / across)
            return max(round(width / ratio), 1), max(round(height / ratio), 1)
        long = int(target * max(width, height) / min(width, height))
        return (target, long) if width <= height else (long, target)

    def _most_patches(self, width: int, height: int, patch_size: int) -> int:
        if not self.patch_counts:
            return math.prod(side // patch_size for side in self.sides)
        count = (width // patch_size) * (height // patch_size)
        return next((most for most in self.patch_counts if count <= most), self.patch_counts[-1])

    def _cut(self, image: Image.Image) -> Image.Image:
        """Cut out the center, or pad to it."""
        if self.patch_size is not None:
            return image
        if self.resize_mode == "longest":
            return self._pad(image)
        if self.resize_mode == "none" and image.size != self.sides[::-1]:
            raise PictureError(
                f"{name_of(image)}: is {image.width} x {image.height} pixels; expected {in_pixels(self.sides)}: this "
                "model's images are neither resized nor cropped."
            )
        left, top = self._corner(*image.size)
        down, across = self.sides
        return image.crop((left, top, left + across, top + down))

    def _corner(self, width: int, height: int) -> tuple[int, int]:
        """Compute where in the resized image the crop begins; negative where it is padded."""
        if self.patch_size is not None:
            return 0, 0
        down, across = self.sides
        if self.resize_mode == "longest":
            return -((across - width) // 2), -((down - height) // 2)
        # Halves are rounded to even by torchvision, and down by transformers. Beyond the edge Pillow puts zeros.
        rounded = math.floor if self.profile == "transformers" else round
        return rounded((width - across) / 2), rounded((height - down) / 2)

    def _pad(self, image: Image.Image) -> Image.Image:
        from PIL import ImageOps

        down, across = (side - size for side, size in zip(self.sides, reversed(image.size), strict=True))
        if across == down == 0:
            return image
        border = (across // 2, down // 2, (across + 1) // 2, (down + 1) // 2)
        bands = len(image.getbands())
        return ImageOps.expand(image, border, self.fill if bands == 1 else (self.fill,) * bands)

    def view(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Compute which part of an image the model sees.

        Parameters
        ----------
        width, height : int
            Sides of the image, in pixels.

        Returns
        -------
        left, top, right, bottom : float
            Of the crop, in pixels of the image; beyond its sides where it is padded.
        """
        across, down = self._resized_size(width, height)
        left, top = self._corner(across, down)
        rows, columns = (down, across) if self.patch_size is not None else self.sides
        right, bottom = left + columns, top + rows
        return left * width / across, top * height / down, right * width / across, bottom * height / down

    def takes(self, height: int, width: int) -> bool:
        """Tell whether results can have these sides."""
        if self.patch_size is None:
            return (height, width) == self.sides
        return min(height, width) > 0 and height % self.patch_size == width % self.patch_size == 0

    def as_pixels(self, image: NDArray[np.floating] | NDArray[np.uint8]) -> NDArray[Any]:
        """Return pixels of 0..255, (n, 3, y, x), of either form that a model accepts.

        Parameters
        ----------
        image : ndarray of shape (n, 3, y, x), dtype=floating, or (n, y, x, 3), dtype=uint8
            Stacked results of a call, or of `crop`.
        """
        if image.dtype == np.uint8:
            channels_first: NDArray[Any] = image.transpose(0, 3, 1, 2)
            return channels_first
        pixels = image.astype(np.float32)
        levels = np.float32(1 / self.scale)
        pixels *= levels * np.array(self.std, np.float32).reshape(3, 1, 1)
        pixels += levels * np.array(self.mean, np.float32).reshape(3, 1, 1)
        return pixels


def _check(image: Image.Image) -> None:
    if not hasattr(image, "resize") or not hasattr(image, "mode"):
        raise InputError(
            f"preprocess takes an image of Pillow's, not {type(image).__name__}; use PIL.Image.open or "
            "PIL.Image.fromarray, or give paths, bytes and arrays to model.embed_images."
        )
    if min(image.size) < 1:
        raise PictureError(f"{name_of(image)}: is {image.width} x {image.height} pixels; expected at least one.")
