"""FILE, BYTES, ARRAY → PICTURE: opening what people give as an image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError, PictureError
from numpyclip.images.bit_depth import Depth
from numpyclip.images.damaged import decode_truncated, has_end, repaired
from numpyclip.images.decode_memory import DECODE_MEMORY, FILE_MEMORY, decoding_memory
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.formats import CostlyError, check_rawpy, identify, opening_memory
from numpyclip.images.orientation import ORIENTATION, oriented
from numpyclip.images.pillow_limits import Watch, accept, watched
from numpyclip.images.raw_files import is_raw
from numpyclip.regular_file import open_regular

if TYPE_CHECKING:  # Pillow is imported when the first image arrives
    from PIL import Image

Picture: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[np.uint8]"
)

_BYTES = (bytes, bytearray, memoryview)

_MOST_BYTES = 768 << 20  # of a file: more than 250 megapixels of three bytes


def pictures(images: Picture | Iterable[Picture]) -> Iterable[Picture]:
    """Return images to iterate over; a single one (also an array (y, x) or (y, x, c)) counts as a list of one."""
    from PIL import Image

    single = isinstance(images, str | os.PathLike | bytes | bytearray | memoryview | Image.Image)
    single = single or hasattr(images, "read")
    if isinstance(images, np.ndarray):
        single = images.ndim in (0, 2, 3)  # one dimension: names, or images of different sizes
    if single or not isinstance(images, Iterable):
        return [images]  # type: ignore[list-item]
    return images  # type: ignore[return-value]


def has_state(picture: object) -> bool:
    """Tell whether an image is an object whose owner may change it, so that it must be read before the next one."""
    is_object = hasattr(picture, "read") or hasattr(picture, "resize")  # a file; an image of Pillow's, an array
    return is_object or isinstance(picture, bytearray | memoryview)


def open_picture(
    source: Picture,
    options: DecodeOptions = DEFAULTS,
    *,
    draft_size: int | None = None,
    name: str | None = None,
) -> Image.Image:
    """Open and decode an image.

    Parameters
    ----------
    source : str, path, bytes (also bytearray, memoryview), open file, PIL.Image.Image or ndarray of dtype uint8
        The name of a regular file, a file's content, a file, a PIL image, or an array of shape (y, x), (y, x, 3) or
        (y, x, 4).
    options : DecodeOptions, optional
        To TIFF files Pillow always applies the EXIF orientation.
    draft_size : int, optional
        Decode a JPEG file at half, a quarter or an eighth of its size, and develop a RAW file at half, if that divides
        both sides and leaves them no shorter than this: several times as fast, and not quite the same pixels.
    name : str, optional
        Of the image in messages; by default that of its file.

    Returns
    -------
    PIL.Image.Image
        Decoded; of an animation, the first frame. It is `source` itself if that is an image of this orientation, and
        `source` is never changed.

    Raises
    ------
    InputError
        If it is none of these, or an array of another dtype or shape.
    PictureError
        If it is missing, damaged, cut short, too large, or no image at all; the message begins with its name.
    """
    with decoded(source, options, draft_size=draft_size, name=name) as image:
        return image


@contextmanager
def decoded(
    source: Picture,
    options: DecodeOptions = DEFAULTS,
    *,
    draft_size: int | None = None,
    name: str | None = None,
    as_stored: bool = False,
) -> Iterator[Image.Image]:
    """Open and decode an image as `open_picture` does; its pixels count as memory in use until the context is left.

    The caller deletes it before that. `as_stored` keeps samples of more than eight bits as they are.
    """
    from PIL import Image

    with ExitStack() as held:
        if isinstance(source, np.ndarray):
            yield _from_array(source)
            return
        decoder = _Decoder(name or _name(source), options, draft_size, as_stored, held)
        if isinstance(source, Image.Image):
            image = decoder.of_image(source)
        elif isinstance(source, str | os.PathLike):
            with _regular_file(source, decoder.name) as file:
                image = decoder.of_file(file)
        else:
            image = decoder.of_file(BytesIO(source) if isinstance(source, _BYTES) else _seekable(source))
        only = [image]
        del image
        yield only.pop()  # so that the caller alone has it, and can free its memory before others take it


def _seekable(file: IO[bytes]) -> IO[bytes]:
    try:
        file.seek(0)
    except (AttributeError, OSError):  # a response of a server, a pipe
        return BytesIO(file.read(_MOST_BYTES))
    return file


def _name(source: object) -> str:
    """Name an image in messages; InputError if it is none."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    if isinstance(source, _BYTES):
        return f"an image of {memoryview(source).nbytes} bytes"
    if hasattr(source, "resize"):
        return name_of(source)  # type: ignore[arg-type]
    if hasattr(source, "read"):
        return f"{getattr(source, 'name', 'a file')}"
    raise InputError(
        f"an image must be a path, bytes, an open file, a PIL image or an array of uint8, not {type(source).__name__}."
    )


@dataclass(frozen=True)
class _Decoder:
    """Decodes an image; `held` is closed when its pixels are needed no more."""

    name: str
    options: DecodeOptions
    draft_size: int | None
    as_stored: bool
    held: ExitStack

    def of_image(self, image: Image.Image) -> Image.Image:
        """Decode an image of Pillow's, which may be decoded already."""
        with watched(self.name, self.options), errors_named(self.name):
            depth = Depth.of(image)
            image.load()
            return self._finished(image, depth)

    def of_file(self, file: IO[bytes]) -> Image.Image:
        """Open and decode a file."""
        with watched(self.name, self.options) as watch, errors_named(self.name):
            file, orientation = self._preview(file)
            if taken := opening_memory(file):
                watch.check_memory(taken)
                self.held.enter_context(DECODE_MEMORY.take(taken))
            with self._header(file, watch) as image:
                if orientation is not None:
                    image.getexif()[ORIENTATION] = orientation
                if not taken:
                    self.held.enter_context(DECODE_MEMORY.take(decoding_memory(image)))
                depth = Depth.of(image)
                picture = self._whole(image, file, watch)
            picture = self._finished(picture, depth)
        picture.filename = self.name  # type: ignore[attr-defined]  # for messages; Pillow would map that file before
        return picture

    def _preview(self, file: IO[bytes]) -> tuple[IO[bytes], int | None]:
        """Take the preview of a RAW file, and the orientation it needs, unless RAW files are to be developed."""
        if self.options.develop_raw or not is_raw(file):
            return file, None
        check_rawpy()
        from numpyclip.images.raw import raw_preview

        return raw_preview(file) or (file, None)

    def _header(self, file: IO[bytes], watch: Watch) -> Image.Image:
        image = identify(file)
        watch.check_size(image.size)
        if self.draft_size is not None:
            _reduce(image, self.draft_size)
        watch.check_memory(decoding_memory(image))
        return image

    def _whole(self, image: Image.Image, file: IO[bytes], watch: Watch) -> Image.Image:
        """Decode an image, or nearly all of it if its file is damaged."""

        def reopen(data: bytes) -> Image.Image:
            return self._header(BytesIO(data), watch)

        try:
            image.load()
        except CostlyError:
            raise
        except Exception as error:
            if (repaired_file := repaired(file)) is not None:
                return self._whole(self._header(repaired_file, watch), repaired_file, watch)
            file.seek(0)
            if "truncated" not in str(error) or (found := decode_truncated(image, file.read(), reopen)) is None:
                raise
            image, share = found
            accept(share)
        else:
            if image.format == "PNG" and not has_end(file):  # which Pillow does not miss
                accept(1.0)
        return image

    def _finished(self, image: Image.Image, depth: Depth | None) -> Image.Image:
        image = oriented(image) if self.options.orient else image
        return image if depth is None or self.as_stored else depth.eight_bits(image)


@contextmanager
def errors_named(name: str) -> Iterator[None]:
    """Turn what Pillow raises, errors of every kind on damaged files, into PictureError."""
    try:
        yield
    except PictureError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from error


@contextmanager
def _regular_file(path: str | os.PathLike[str], name: str) -> Iterator[IO[bytes]]:
    try:
        file = open_regular(path)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    with file:
        if (size := os.fstat(file.fileno()).st_size) > _MOST_BYTES:
            raise PictureError(f"{name}: has {size} bytes; expected at most {_MOST_BYTES} of an image.")
        with FILE_MEMORY.take(2 * size):  # its content, and that of a repaired file
            yield file


@contextmanager
def file_content(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Read a regular file that may hold an image; its bytes count as memory in use until the context is left.

    Raises
    ------
    PictureError
        If it is missing, or too large for one.
    """
    name = os.fsdecode(path)
    with _regular_file(path, name) as file:
        try:
            data = file.read(_MOST_BYTES)
        except OSError as error:
            raise _unreadable(name, error) from error
        yield data


def _reduce(image: Image.Image, draft_size: int) -> None:
    """Have a JPEG or RAW file decoded at the smallest fraction of its size that is enough, and no other format."""
    width, height = image.size
    for scale in (8, 4, 2):
        if width % scale == height % scale == 0 and min(width, height) // scale >= draft_size:
            image.draft(None, (width // scale, height // scale))
            return


def _unreadable(name: str, error: Exception) -> PictureError:
    return PictureError(f"{name}: cannot be read as an image ({reason_of(error)}).")


def _from_array(array: NDArray[np.uint8]) -> Image.Image:
    from PIL import Image

    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not shaped or array.size == 0:
        raise InputError(
            f"an array of shape {array.shape} and {array.dtype} is no image; expected uint8 of shape (y, x), "
            "(y, x, 3) or (y, x, 4). Pixels that are preprocessed already go to model.encode_image."
        )
    return Image.fromarray(array)


def name_of(image: Image.Image) -> str:
    """Name an image in a message: by its file, if it has one."""
    return os.fsdecode(getattr(image, "filename", "") or "the image")


def reason_of(error: Exception) -> str:
    """Return why Pillow could not read or convert an image."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not in a supported format"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
