"""PICTURE → PIXELS: opening pictures, and the preprocessing of three libraries, equal to theirs on Pillow bit for bit.

The order matters, for Pillow resizes palettes and bitmaps without interpolation, and transparency with premultiplied
colours. OpenAI (`_transform` in clip/clip.py) and OpenCLIP (open_clip/transform.py) resize, crop, and only then make
the picture RGB; transformers (`PilBackend` in image_processing_backends.py) makes it RGB first, on white.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError, PictureError

if TYPE_CHECKING:  # Pillow is imported when the first picture arrives
    from PIL import Image

Picture: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[np.uint8]"
)

Profile: TypeAlias = Literal["openai", "open_clip", "transformers"]

# OpenAI's, of the red, green and blue channel.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

# Of the picture while it is resized: a line of one pixel by 10,000 becomes 224 by 2,240,000, in Pillow's memory four
# bytes each, or one in the modes below. With transparency Pillow needs that twice.
_MAX_BYTES = 2**31
_ONE_BYTE = ("1", "L", "P")

_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {  # its values, and what undoes them
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_TURN_KEYS = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")  # where Pillow keeps the tag


@dataclass(frozen=True)
class Preprocess:
    """From a picture to the pixels of a model: resize, crop, RGB, scale to 0..1, normalise.

    Attributes
    ----------
    size : int
        Side of the result, in pixels.
    profile : {"openai", "open_clip", "transformers"}
        Whose transform it is. The last is that of transformers on Pillow: what it computes with torchvision, by default
        since its version 5, differs by 1 of 255 here and there.
    mean, std : tuple of 3 float
        Of the red, green and blue channel, in 0..1.
    interpolation : {"bicubic", "bilinear"}
        How pictures are resized; both are antialiased.
    resize_mode : {"shortest", "squash", "longest", "patches"}
        The short side becomes `size`, and the centre of the long one is cut out; or both sides become `size`; or the
        long side becomes `size`, and the short one is padded; or both sides become whole patches, with no more pixels
        than a square of `size` has, so that the picture keeps its shape.
    fill : int
        What "longest" pads with, in 0..255, in every channel of the picture's own mode.
    short_side : int, optional
        What the short side, or with "squash" both sides, become before the centre is cut out, if it is not `size`. A
        lower one leaves a black margin.
    patch_size : int, optional
        Side of the patches of "patches", in pixels.
    """

    size: int
    profile: Profile = "openai"
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest", "squash", "longest", "patches"] = "shortest"
    fill: int = 0
    short_side: int | None = None
    patch_size: int | None = None

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """Turn a picture into the pixels that a model takes.

        Parameters
        ----------
        image : PIL.Image.Image
            Of any size and mode. Its EXIF orientation is not looked at, as in the reference; `open_picture` does.

        Returns
        -------
        ndarray of shape (3, size, size), dtype=float32
            With "patches" (3, y, x). Equal to the library's result to the last bit, for the Pillow that is installed.

        Raises
        ------
        InputError
            If it is no picture of Pillow's.
        PictureError
            If it cannot be decoded, if Pillow cannot resize it or make it RGB, or if its sides differ so much
            that the resized picture would not fit in memory.
        """
        pixels: NDArray[np.float32] = self.crop(image).transpose(2, 0, 1).astype(np.float32, order="C")  # (3, y, x)
        pixels /= np.float32(255)
        pixels -= np.array(self.mean, np.float32).reshape(3, 1, 1)
        pixels /= np.array(self.std, np.float32).reshape(3, 1, 1)
        return pixels

    def crop(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resize, crop and make RGB only: a quarter of the memory, and `encode_image` takes it too.

        Parameters
        ----------
        image : PIL.Image.Image

        Returns
        -------
        ndarray of shape (size, size, 3), dtype=uint8
            With "patches" (y, x, 3).

        Raises
        ------
        InputError, PictureError
            As above.
        """
        _check(image)
        try:
            if self.profile == "transformers":
                return np.asarray(self._cut(self._resize(_on_white(image))))
            return np.asarray(_without_alpha(self._cut(self._resize(image))))
        except PictureError:
            raise
        except Exception as error:  # also those of its decoders, if it was not decoded yet
            raise PictureError(
                f"{_name(image)}: cannot be preprocessed, its mode is {image.mode} ({_reason(error)})."
            ) from error

    def read(self, picture: Picture, *, orient: bool, draft: bool) -> NDArray[np.uint8]:
        """Open and crop a picture; a draft is decoded at no less than twice the size (see `open_picture`)."""
        return self.crop(open_picture(picture, orient=orient, draft_size=2 * self._side if draft else None))

    @property
    def _side(self) -> int:
        return self.short_side or self.size

    def _resize(self, image: Image.Image) -> Image.Image:
        from PIL.Image import Resampling

        width, height = self._resized_size(*image.size)
        # Pillow resizes rows first, so that for a while there are as many of them as before.
        needed = width * max(height, image.height) * (1 if image.mode in _ONE_BYTE else 4)
        if needed > _MAX_BYTES:
            raise PictureError(
                f"{_name(image)}: is {image.width} x {image.height} pixels; it would take {needed} bytes "
                f"resized to {width} x {height}. Crop it first."
            )
        if image.size == (width, height):
            return image
        return image.resize((width, height), Resampling[self.interpolation.upper()])

    def _resized_size(self, width: int, height: int) -> tuple[int, int]:
        """Compute the sides before the crop; what is not whole is rounded down, but by "longest" to even."""
        if self.resize_mode == "squash":
            return self._side, self._side
        if self.patch_size is not None:
            return _whole_patches(width, height, self.patch_size, (self.size // self.patch_size) ** 2)
        if self.resize_mode == "longest":
            ratio = max(width, height) / self.size
            return round(width / ratio), round(height / ratio)
        long = int(self._side * max(width, height) / min(width, height))
        return (self._side, long) if width <= height else (long, self._side)

    def _cut(self, image: Image.Image) -> Image.Image:
        """Cut out the centre, or pad to it."""
        if self.patch_size is not None:
            return image
        if self.resize_mode == "longest":
            return self._pad(image)
        # Halves are rounded to even by torchvision, and down by transformers. Beyond the edge Pillow puts zeros.
        rounded = math.floor if self.profile == "transformers" else round
        left, top = (rounded((side - self.size) / 2) for side in image.size)
        return image.crop((left, top, left + self.size, top + self.size))

    def _pad(self, image: Image.Image) -> Image.Image:
        from PIL import ImageOps

        across, down = (self.size - side for side in image.size)
        if across == down == 0:
            return image
        border = (across // 2, down // 2, (across + 1) // 2, (down + 1) // 2)
        bands = len(image.getbands())
        return ImageOps.expand(image, border, self.fill if bands == 1 else (self.fill,) * bands)

    def takes(self, height: int, width: int) -> bool:
        """Tell whether results may have these sides."""
        if self.patch_size is None:
            return height == width == self.size
        return min(height, width) > 0 and height % self.patch_size == width % self.patch_size == 0

    def as_pixels(self, image: NDArray[np.floating] | NDArray[np.uint8]) -> NDArray[Any]:
        """Give pixels of 0..255, (n, 3, y, x), of either form that a model takes.

        Parameters
        ----------
        image : ndarray of shape (n, 3, y, x), dtype=floating, or (n, y, x, 3), dtype=uint8
            Stacked results of a call, or of `crop`.
        """
        if image.dtype == np.uint8:
            channels_first: NDArray[Any] = image.transpose(0, 3, 1, 2)
            return channels_first
        pixels = image.astype(np.float32)
        pixels *= np.float32(255) * np.array(self.std, np.float32).reshape(3, 1, 1)
        pixels += np.float32(255) * np.array(self.mean, np.float32).reshape(3, 1, 1)
        return pixels


def _whole_patches(width: int, height: int, patch_size: int, most: int) -> tuple[int, int]:
    """Scale the sides of a picture, rounded up to whole patches, until there are as many patches as are allowed.

    The scale is halved in to the very same steps as in `get_image_size_for_max_num_patches` of transformers'
    models/siglip2/image_processing_siglip2.py, where the last one is 1e-5: its exact value decides about roundings.
    """

    def patches(side: int, scale: float) -> int:
        return max(math.ceil(side * scale / patch_size), 1)

    low, high = 1e-6, 100.0
    while high - low >= 1e-5:
        scale = (low + high) / 2
        if patches(height, scale) * patches(width, scale) <= most:
            low = scale
        else:
            high = scale
    return patches(width, low) * patch_size, patches(height, low) * patch_size


def preprocess(image: Image.Image, image_size: int = 224) -> NDArray[np.float32]:
    """Turn a picture into the pixels of a model that takes `image_size` by `image_size`, by OpenAI's transform.

    The function that NumPyCLIP's ancestor had. Each model brings its own, which knows its size: the second value of
    `numpyclip.load`. See `Preprocess.__call__`.
    """
    return Preprocess(image_size)(image)


def pictures(images: Picture | Iterable[Picture]) -> Iterator[Picture]:
    """Iterate over pictures; a single one (also an array (y, x) or (y, x, c)) counts as a list of one."""
    from PIL import Image

    single = isinstance(images, str | os.PathLike | bytes | bytearray | memoryview | Image.Image)
    single = single or hasattr(images, "read")
    if isinstance(images, np.ndarray):
        single = images.ndim in (0, 2, 3)  # one dimension: names, or pictures of different sizes
    if single or not isinstance(images, Iterable):
        images = [images]  # type: ignore[list-item]
    yield from images  # type: ignore[misc]


def has_state(picture: Picture) -> bool:
    """Tell whether a picture is an object that its owner may change, so that it must be read before the next one."""
    return not isinstance(picture, str | os.PathLike | bytes)


def open_picture(source: Picture, *, orient: bool = True, draft_size: int | None = None) -> Image.Image:
    """Open and decode a picture.

    Parameters
    ----------
    source : str, path, bytes (also bytearray, memoryview), open file, PIL.Image.Image or ndarray of dtype uint8
        A file's name, a file's content, a file, a picture, or an array of shape (y, x), (y, x, 3) or (y, x, 4).
    orient : bool, default=True
        Turn the picture as its EXIF orientation says, as viewers do. Pillow itself always turns TIFF files.
    draft_size : int, optional
        Decode a JPEG file at half, a quarter or an eighth of its size, if that divides both sides and leaves them
        no shorter than this: several times as fast, and not quite the same pixels.

    Returns
    -------
    PIL.Image.Image
        Decoded; of an animation, the first frame. It is `source` itself if that is a picture which needs no
        turn, and `source` is never changed.

    Raises
    ------
    InputError
        If it is none of these, or an array of another dtype or shape.
    PictureError
        If it is missing, damaged, cut short, too large, or no picture at all; the message begins with its name.
    """
    from PIL import Image

    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decoded(source, _name(source), orient)
    file: str | IO[bytes]
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        name, file = f"a picture of {len(data)} bytes", BytesIO(data)
    elif isinstance(source, str | os.PathLike):
        name = file = os.fsdecode(source)
    elif hasattr(source, "read"):
        name, file = f"{getattr(source, 'name', 'a file')}", source
    else:
        raise InputError(
            f"a picture must be a path, bytes, an open file, a PIL image or an array of uint8, "
            f"not {type(source).__name__}."
        )
    try:
        image = Image.open(file)
    except Exception as error:  # Pillow's decoders raise errors of every kind on damaged files
        raise _unreadable(name, error) from error
    with image:
        if draft_size is not None:
            _reduce(image, draft_size)
        return _decoded(image, name, orient)


def _reduce(image: Image.Image, draft_size: int) -> None:
    """Have a JPEG file decoded at the smallest fraction of its size that suits; other formats know none."""
    width, height = image.size
    for scale in (8, 4, 2):
        if width % scale == height % scale == 0 and min(width, height) // scale >= draft_size:
            image.draft(None, (width // scale, height // scale))
            return


def _decoded(image: Image.Image, name: str, orient: bool) -> Image.Image:
    try:
        image.load()
        return _turned(image) if orient else image
    except Exception as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> PictureError:
    return PictureError(f"{name}: cannot be read as a picture ({_reason(error)}).")


def _turned(image: Image.Image) -> Image.Image:
    """Turn as the EXIF orientation says; unlike Pillow's `exif_transpose`, also if the rest of EXIF is damaged."""
    from PIL import Image

    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data is no reason to refuse a sound picture
        return image
    if turn is None:
        return image
    turned = image.transpose(Image.Transpose[turn])
    turned.info = {key: value for key, value in turned.info.items() if key not in _TURN_KEYS}
    return turned


def _from_array(array: NDArray[np.uint8]) -> Image.Image:
    from PIL import Image

    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not shaped or array.size == 0:
        raise InputError(
            f"an array of shape {array.shape} and {array.dtype} is no picture; expected uint8 of shape (y, x), "
            "(y, x, 3) or (y, x, 4). Pixels that are preprocessed already go to model.encode_image."
        )
    return Image.fromarray(array)


def _check(image: Image.Image) -> None:
    if not hasattr(image, "resize") or not hasattr(image, "mode"):
        raise InputError(
            f"preprocess takes a picture of Pillow's, not {type(image).__name__}; use PIL.Image.open or "
            "PIL.Image.fromarray, or give paths, bytes and arrays to model.embed_images."
        )
    if min(image.size) < 1:
        raise PictureError(f"{_name(image)}: is {image.width} x {image.height} pixels; expected at least one.")


def _without_alpha(image: Image.Image) -> Image.Image:
    """Make a picture RGB. What is transparent gets the colour that it has nevertheless."""
    if "transparency" in image.info:
        image = image.copy()
        del image.info["transparency"]  # Pillow would warn of it
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """Make a picture RGB. What is transparent becomes white."""
    from PIL import Image

    if "A" in image.getbands() or image.info.get("transparency") is not None:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert("RGB")


def _name(image: Image.Image) -> str:
    return os.fsdecode(getattr(image, "filename", "") or "the picture")


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "in no format that Pillow knows"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
