"""FILE, BYTES, ARRAY → PICTURE: opening what people give as a picture."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError, PictureError

if TYPE_CHECKING:  # Pillow is imported when the first picture arrives
    from PIL import Image

Picture: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[np.uint8]"
)

# Of the formats that Pillow reads, those in which people keep pictures.
PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".avif", ".heic", ".heif", ".jp2", ".j2k"),
    *(".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico", ".qoi"),
)

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

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
        return _decoded(source, name_of(source), orient)
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
        image = opened(file)
    except Exception as error:  # Pillow's decoders raise errors of every kind on damaged files
        raise _unreadable(name, error) from error
    with image:
        if draft_size is not None:
            _reduce(image, draft_size)
        return _decoded(image, name, orient)


def opened(file: str | IO[bytes]) -> Image.Image:
    """Open a file without decoding it; HEIC, which Pillow does not read by itself, with pillow-heif."""
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(file)
    except UnidentifiedImageError as error:
        if not _is_heic(file):
            raise
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            raise OSError('it is HEIC: pip install "numpyclip[heif]"') from error
        register_heif_opener()
        return Image.open(file)


def _is_heic(file: str | IO[bytes]) -> bool:
    """Tell by the first bytes (ISO/IEC 14496-12, 4.3: the box of the file's type)."""
    if isinstance(file, str):
        with open(file, "rb") as stream:  # noqa: PTH123
            start = stream.read(12)
    else:
        file.seek(0)
        start = file.read(12)
        file.seek(0)
    return start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS


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
    return PictureError(f"{name}: cannot be read as a picture ({reason_of(error)}).")


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


def name_of(image: Image.Image) -> str:
    """Name a picture in a message: by its file, if it has one."""
    return os.fsdecode(getattr(image, "filename", "") or "the picture")


def reason_of(error: Exception) -> str:
    """Say what kept Pillow from reading or changing a picture."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "in no format that Pillow knows"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
