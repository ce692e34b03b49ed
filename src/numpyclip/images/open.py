"""FILE, BYTES, ARRAY → PICTURE: opening what people give as a picture."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError, PictureError
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.regular_file import open_regular

if TYPE_CHECKING:  # Pillow is imported when the first picture arrives
    from PIL import Image

Picture: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[np.uint8]"
)

# All that Pillow may decode: the formats in which people keep pictures. It knows others, of which some start programs
# (EPS) and most are looked at by nobody but attackers. The first are loaded in no time and are tried first.
_USUAL_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM")  # of JPEG's is MPO, which has two
_OTHER_FORMATS = ("WEBP", "AVIF", "HEIF", "TIFF", "JPEG2000", "JXL", "ICO", "QOI", "TGA")

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

_MOST_BYTES = 1 << 30  # of a file: one that is larger is no photograph

_ORIENTATION = 0x0112  # the EXIF tag
_TRANSPOSITIONS = {  # its values, and what undoes them
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_ORIENTATION_KEYS = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")  # where Pillow keeps the tag


def pictures(images: Picture | Iterable[Picture]) -> Iterable[Picture]:
    """Return pictures to iterate over; a single one (also an array (y, x) or (y, x, c)) counts as a list of one."""
    from PIL import Image

    single = isinstance(images, str | os.PathLike | bytes | bytearray | memoryview | Image.Image)
    single = single or hasattr(images, "read")
    if isinstance(images, np.ndarray):
        single = images.ndim in (0, 2, 3)  # one dimension: names, or pictures of different sizes
    if single or not isinstance(images, Iterable):
        return [images]  # type: ignore[list-item]
    return images  # type: ignore[return-value]


def has_state(picture: object) -> bool:
    """Tell whether a picture is an object whose owner may change it, so that it must be read before the next one."""
    is_object = hasattr(picture, "read") or hasattr(picture, "resize")  # a file; a picture of Pillow's, an array
    return is_object or isinstance(picture, bytearray | memoryview)


def open_picture(
    source: Picture,
    options: DecodeOptions = DEFAULTS,
    *,
    draft_size: int | None = None,
    name: str | None = None,
) -> Image.Image:
    """Open and decode a picture.

    Parameters
    ----------
    source : str, path, bytes (also bytearray, memoryview), open file, PIL.Image.Image or ndarray of dtype uint8
        The name of a regular file, a file's content, a file, a picture, or an array of shape (y, x), (y, x, 3) or
        (y, x, 4).
    options : DecodeOptions, optional
        To TIFF files Pillow always applies the EXIF orientation.
    draft_size : int, optional
        Decode a JPEG file at half, a quarter or an eighth of its size, if that divides both sides and leaves them
        no shorter than this: several times as fast, and not quite the same pixels.
    name : str, optional
        Of the picture in messages; by default that of its file.

    Returns
    -------
    PIL.Image.Image
        Decoded; of an animation, the first frame. It is `source` itself if that is a picture of this orientation, and
        `source` is never changed.

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
        return _decoded(source, name or name_of(source), options)
    if isinstance(source, str | os.PathLike):
        name = name or os.fsdecode(source)
        with _regular_file(source, name) as file:
            return _opened(file, name, options, draft_size)
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        return _opened(BytesIO(data), name or f"a picture of {len(data)} bytes", options, draft_size)
    if hasattr(source, "read"):
        return _opened(source, name or f"{getattr(source, 'name', 'a file')}", options, draft_size)
    raise InputError(
        f"a picture must be a path, bytes, an open file, a PIL image or an array of uint8, not {type(source).__name__}."
    )


def _opened(file: IO[bytes], name: str, options: DecodeOptions, draft_size: int | None) -> Image.Image:
    try:
        image = identify(file)
    except Exception as error:  # Pillow's decoders raise errors of every kind on damaged files
        raise _unreadable(name, error) from error
    with image:
        if draft_size is not None:
            _reduce(image, draft_size)
        picture = _decoded(image, name, options)
    picture.filename = name  # type: ignore[attr-defined]  # for messages; before it is decoded Pillow would map that file
    return picture


@contextmanager
def _regular_file(path: str | os.PathLike[str], name: str) -> Iterator[IO[bytes]]:
    try:
        file = open_regular(path)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    with file:
        yield file


def file_content(path: str | os.PathLike[str]) -> bytes:
    """Read a regular file that may hold a picture.

    Raises
    ------
    PictureError
        If it is missing, or too large for one.
    """
    name = os.fsdecode(path)
    with _regular_file(path, name) as file:
        try:
            if (size := os.fstat(file.fileno()).st_size) > _MOST_BYTES:
                raise PictureError(f"{name}: has {size} bytes; expected at most {_MOST_BYTES} of a picture.")
            return file.read()
        except OSError as error:
            raise _unreadable(name, error) from error


def identify(file: IO[bytes]) -> Image.Image:
    """Open a file without decoding it, in one of the formats that are read here.

    Raises
    ------
    OSError
        If it is in none of them.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(file, formats=_USUAL_FORMATS)
    except UnidentifiedImageError:
        has_heif = _load_plugins()
    try:
        return Image.open(file, formats=[name for name in _OTHER_FORMATS if name in Image.OPEN])
    except UnidentifiedImageError as error:
        if _is_heic(file) and not has_heif:
            raise OSError('it is HEIC: pip install "numpyclip[heif]"') from error
        raise


def _load_plugins() -> bool:
    """Load plug-ins of Pillow; return whether HEIC is read."""
    from PIL import Image

    Image.init()
    if "JXL" not in Image.OPEN:
        with suppress(ImportError):
            import pillow_jxl  # noqa: F401  which adds itself
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    if "HEIF" not in Image.OPEN:
        register_heif_opener()
    return True


def _is_heic(file: IO[bytes]) -> bool:
    """Recognise HEIC by the first bytes (ISO/IEC 14496-12, 4.3: the file type box)."""
    file.seek(0)
    start = file.read(12)
    return start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS


def _reduce(image: Image.Image, draft_size: int) -> None:
    """Have a JPEG file decoded at the smallest fraction of its size that is enough; other formats are left alone."""
    width, height = image.size
    for scale in (8, 4, 2):
        if width % scale == height % scale == 0 and min(width, height) // scale >= draft_size:
            image.draft(None, (width // scale, height // scale))
            return


def _decoded(image: Image.Image, name: str, options: DecodeOptions) -> Image.Image:
    try:
        image.load()
        return _oriented(image) if options.orient else image
    except Exception as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> PictureError:
    return PictureError(f"{name}: cannot be read as a picture ({reason_of(error)}).")


def _oriented(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; unlike Pillow's `exif_transpose`, also if the rest of EXIF is damaged."""
    from PIL import Image

    try:
        transposition = _TRANSPOSITIONS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data is no reason to refuse a sound picture
        return image
    if transposition is None:
        return image
    oriented = image.transpose(Image.Transpose[transposition])
    oriented.info = {key: value for key, value in oriented.info.items() if key not in _ORIENTATION_KEYS}
    return oriented


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
    """Return why Pillow could not read or convert a picture."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not in a supported format"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
