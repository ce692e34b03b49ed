"""DAMAGED FILE → PICTURE: what can be read of files whose pixels are all, or nearly all, there.

Pillow has a switch for such files, `LOAD_TRUNCATED_IMAGES`, but it holds for the whole process, and nothing says how
much of a picture is missing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import SEEK_END, BytesIO
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numpyclip.images.watch import accept

if TYPE_CHECKING:
    from PIL import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_LAST_CHUNK = b"IEND\xaeB`\x82"
_EXIF_CHUNK = b"eXIf"
_MARGIN = 64  # zeros after the end of a WebP file
_END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = b"\xff\xda"
_START_OF_FRAME = (0xC0, 0xC1, 0xC2)
_MORE_DATA = bytes(range(1, 255)) * 16  # of a scan: what is not 255 is no marker
_BY_ROWS = (
    "PNG",
    "BMP",
    "DIB",
    "PPM",
    "TGA",
    "TIFF",
)  # formats that Pillow decodes as far as the file goes


def openable(file: IO[bytes]) -> IO[bytes] | None:
    """Mend a file that Pillow does not open or decode; None if it needs another remedy, or none is known.

    Raises
    ------
    PictureError
        If too much of it is missing.
    """
    file.seek(0)
    start = file.read(12)
    if start.startswith(_PNG):
        data = start + file.read()
        return BytesIO(kept) if len(kept := _without_words(data)) < len(data) else None
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":
        data, size = start + file.read(), 8 + int.from_bytes(start[4:8], "little")
        if (share := len(data) / size) < 1:
            accept(share)
            return BytesIO(_lengthened(data))
    return None


def _lengthened(data: bytes) -> bytes:
    """Lengthen the last chunk of a WebP file by zeros, beyond its end, where decoders may look for the last bits."""
    place = 12
    while (end := place + 8 + int.from_bytes(data[place + 4 : place + 8], "little")) + end % 2 < len(data):
        place = end + end % 2
    size = end + end % 2 + _MARGIN
    longer = bytearray(data.ljust(size, b"\0"))
    longer[4:8], longer[place + 4 : place + 8] = (
        (size - 8).to_bytes(4, "little"),
        (size - place - 8).to_bytes(4, "little"),
    )
    return bytes(longer)


def has_end(file: IO[bytes]) -> bool:
    """Tell whether a PNG file that was decoded has its last chunk, after which anything may follow."""
    file.seek(-len(_LAST_CHUNK), SEEK_END)
    if file.read() == _LAST_CHUNK:
        return True
    file.seek(0)
    return _LAST_CHUNK in file.read()


def _without_words(data: bytes) -> bytes:
    """Take out of a PNG file all that is not about pixels: texts, profiles, animation, and EXIF data if damaged."""
    kept, place = [_PNG], len(_PNG)
    while place < len(data):
        length, kind = struct.unpack_from(
            ">I4s", data.ljust(place + 8, b"\0") if place + 8 > len(data) else data, place
        )
        chunk = data[place : place + 12 + length]
        place += 12 + length
        sound = kind == _EXIF_CHUNK and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        if sound or kind in _PIXEL_CHUNKS:
            kept.append(chunk)
    return b"".join(kept)


def as_far_as_it_goes(
    partial: Image.Image, data: bytes, reopen: Callable[[bytes], Image.Image]
) -> tuple[Image.Image, float] | None:
    """Decode a file whose end is missing, and compute which share of it is there.

    Parameters
    ----------
    partial : PIL.Image.Image
        The picture, of which as much was decoded as is there.
    data : bytes
        Of the file.
    reopen : callable
        Opens data as `partial` was opened.

    Returns
    -------
    picture, share
        None if that is not known of its format.
    """
    from PIL import Image

    if partial.format in ("JPEG", "MPO"):
        partial.im = Image.new(partial.mode, (1, 1)).im  # to free its memory
        return _jpeg(data, reopen)
    if partial.format not in _BY_ROWS:
        return None
    partial.tile = []  # type: ignore[attr-defined]  # there is no more to decode
    # Decoded over another background, all rows look the same as before but those that are missing.
    rows = _rows(partial)
    light = reopen(data)
    light.im = _white(light).im
    try:
        light.load()
    except OSError:
        light.tile = []  # type: ignore[attr-defined]
    return partial, float(np.mean(rows == _rows(light)))


def _white(image: Image.Image) -> Image.Image:
    from PIL import Image

    bands = len(image.getbands())
    return Image.new(image.mode, image.size, 255 if bands == 1 else (255,) * bands)


def _jpeg(data: bytes, reopen: Callable[[bytes], Image.Image]) -> tuple[Image.Image, float]:
    """Let libjpeg fill in what is missing, from the row on where it would go on reading if more followed."""
    whole, other = reopen(data + _END_OF_IMAGE), reopen(data + _MORE_DATA + _END_OF_IMAGE)
    whole.load()
    if (share := _share_of_coefficients(data)) < 1:
        return whole, share
    other.load()
    differs = np.flatnonzero(_rows(whole) != _rows(other))
    return whole, float(differs[0]) / whole.height if len(differs) else 1.0


def _share_of_coefficients(data: bytes) -> float:
    """Compute for which share of the coefficients scans have begun that bring them to their full precision.

    A baseline JPEG has one scan, or one for each component; a progressive one has several for each.
    """
    place, components = 2, 1
    while (marker := data[place : place + 2]) != _START_OF_SCAN:
        if marker[1] in _START_OF_FRAME:
            components = data[place + 9]
        place += 2 + _length(data, place)
    done = np.zeros((256, 64), bool)  # of each component, by its number
    while place >= 0:
        header = data[place + 4 : place + 2 + _length(data, place)]
        count = header[0]
        first, last, approximation = header[1 + 2 * count : 4 + 2 * count]
        done[list(header[1 : 1 + 2 * count : 2]), first : last + 1] = approximation & 15 == 0
        place = data.find(_START_OF_SCAN, place + 2)
    return np.count_nonzero(done) / (64 * components)


def _length(data: bytes, marker: int) -> int:
    return int.from_bytes(data[marker + 2 : marker + 4], "big")


def _rows(image: Image.Image) -> NDArray[np.int64]:
    """Hash every row: (y,)."""
    return np.array([hash(image.crop((0, y, image.width, y + 1)).tobytes()) for y in range(image.height)])
