"""DAMAGED FILE → IMAGE: what can be read of files whose pixels are all, or nearly all, there.

Pillow has a switch for such files, `LOAD_TRUNCATED_IMAGES`, but it holds for the whole process, and nothing says how
much of an image is missing.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from io import SEEK_END, BytesIO
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numpyclip.images.jpeg_segments import END_OF_IMAGE, START_OF_SCAN, jpeg_segments
from numpyclip.images.pillow_limits import accept

if TYPE_CHECKING:
    from PIL import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_LAST_CHUNK = b"IEND\xaeB`\x82"
_EXIF_CHUNK = b"eXIf"
_MARGIN = 64  # zeros after the end of a WebP file
_MORE_DATA = bytes(range(1, 255)) * 16  # of a scan: what is not 255 is no marker
_MOST_CHUNKS = 100_000  # of a PNG or WebP file, or segments of a JPEG: 8 KiB each, in the largest file
_BY_ROWS = ("PNG", "BMP", "DIB", "PPM", "TGA", "TIFF")  # formats that Pillow decodes as far as the file goes


def repaired(file: IO[bytes]) -> IO[bytes] | None:
    """Repair a file that Pillow does not open or decode; None if it needs another remedy, or none is known.

    Raises
    ------
    PictureError
        If too much of it is missing.
    OSError
        If it has too many parts.
    """
    file.seek(0)
    data = file.read()
    if data.startswith(_PNG):
        return BytesIO(kept) if len(kept := _pixel_chunks(data)) < len(data) else None
    share = len(data) / (8 + int.from_bytes(data[4:8], "little"))
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or share >= 1:
        return None
    accept(share)
    return _lengthened(data)


def _lengthened(data: bytes) -> IO[bytes]:
    """Lengthen the last chunk of a WebP file by zeros, beyond its end, where decoders may look for the last bits."""
    end = 12
    for _ in range(_MOST_CHUNKS):
        place, end = end, end + 8 + int.from_bytes(data[end + 4 : end + 8], "little")
        end += end % 2
        if end >= len(data):
            break
    else:
        raise OSError(f"it has more than {_MOST_CHUNKS} chunks")
    size = end + _MARGIN
    longer = BytesIO(data)
    for number, at in ((size - 8, 4), (size - place - 8, place + 4)):
        longer.seek(at)
        longer.write(number.to_bytes(4, "little"))
    longer.seek(0, SEEK_END)
    longer.write(bytes(size - len(data)))
    longer.seek(0)
    return longer


def has_end(file: IO[bytes]) -> bool:
    """Tell whether a PNG file that was decoded has its last chunk, after which anything may follow."""
    file.seek(-len(_LAST_CHUNK), SEEK_END)
    if file.read() == _LAST_CHUNK:
        return True
    file.seek(0)
    return _LAST_CHUNK in file.read()


def _pixel_chunks(data: bytes) -> bytes:
    """Take out of a PNG file all that is not about pixels: texts, profiles, animation, and EXIF data if damaged."""
    kept, place = [(0, len(_PNG))], len(_PNG)
    for _ in range(_MOST_CHUNKS):
        if place >= len(data):
            break
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        start, place = place, place + 12 + length
        if kind == _EXIF_CHUNK:
            is_kept = zlib.crc32(data[start + 4 : place - 4]) == int.from_bytes(data[place - 4 : place], "big")
        else:
            is_kept = kind in _PIXEL_CHUNKS and (length > 0 or kind == b"IEND")
        if is_kept and kept[-1][1] == start:
            kept[-1] = (kept[-1][0], place)
        elif is_kept:
            kept.append((start, place))
    else:
        raise OSError(f"it has more than {_MOST_CHUNKS} chunks")
    view = memoryview(data)
    return b"".join(view[start:end] for start, end in kept)


def decode_truncated(
    partial: Image.Image, data: bytes, reopen: Callable[[bytes], Image.Image]
) -> tuple[Image.Image, float] | None:
    """Decode a file whose end is missing, and compute which share of it is there.

    Parameters
    ----------
    partial : PIL.Image.Image
        The image, of which as much was decoded as is there.
    data : bytes
        Of the file.
    reopen : callable
        Opens data as `partial` was opened.

    Returns
    -------
    image, share
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
    whole = reopen(data + END_OF_IMAGE)
    whole.load()
    if (share := _share_of_coefficients(data, len(whole.getbands()))) < 1:
        return whole, share
    other = reopen(data + _MORE_DATA + END_OF_IMAGE)
    other.load()
    differs = np.flatnonzero(_rows(whole) != _rows(other))
    return whole, float(differs[0]) / whole.height if len(differs) else 1.0


def _share_of_coefficients(data: bytes, components: int) -> float:
    """Compute for which share of the coefficients scans have begun that bring them to their full precision.

    A baseline JPEG has one scan, or one for each component; a progressive one has several for each.
    """
    done = np.zeros((256, 64), bool)  # of each component, by its number
    for header in _scan_headers(data):
        count = header[0]
        first, last, approximation = header[1 + 2 * count :]
        done[list(header[1 : 1 + 2 * count : 2]), first : last + 1] = approximation & 15 == 0
    return np.count_nonzero(done) / (64 * components)


def _scan_headers(data: bytes) -> Iterator[bytes]:
    """Walk through the segments of a JPEG file, and give the headers of its scans."""
    for number, (marker, start, end) in enumerate(jpeg_segments(data), start=1):
        if end > len(data):
            return
        if marker == START_OF_SCAN:
            header = data[start:end]
            if len(header) < 4 or len(header) != 4 + 2 * header[0]:
                raise OSError("the header of a scan is damaged")
            yield header
        if number == _MOST_CHUNKS:
            raise OSError(f"it has more than {_MOST_CHUNKS} segments")


def _rows(image: Image.Image) -> NDArray[np.int64]:
    """Hash every row: (y,)."""
    return np.array([hash(image.crop((0, y, image.width, y + 1)).tobytes()) for y in range(image.height)])
