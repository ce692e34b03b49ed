"""FILE → FORMAT: the allowlist of formats, the same for every caller, and the plug-ins that decode them."""

from __future__ import annotations

import struct
from contextlib import suppress
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any

from numpyclip.extras import install_command
from numpyclip.images.damaged import repaired
from numpyclip.images.jpeg_segments import START_OF_SCAN, jpeg_segments
from numpyclip.images.jpeg_xl import is_jpeg_xl, jpeg_xl_header
from numpyclip.images.orientation import ORIENTATION
from numpyclip.images.pillow_limits import quietly
from numpyclip.images.raw_files import is_raw

if TYPE_CHECKING:
    from PIL import Image

# All that Pillow may decode: the formats in which people keep images. It knows others, of which some start programs
# (EPS) and most are looked at by nobody but attackers. The first are loaded in no time and are tried first.
_USUAL_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM")  # MPO files open as JPEG
_OTHER_FORMATS = ("WEBP", "AVIF", "HEIF", "TIFF", "JPEG2000", "JXL", "ICO", "TGA")

# What Pillow reads of a file before its pixels, piece by piece: it takes time for each, and by the square of EXIF data.
_MOST_PIECES = 10_000
_MOST_BYTES = 16 << 20  # of pieces that are shorter than those of a file read as a whole
_LONG = 1 << 16  # bytes
_LEAST_PIECE = 64  # bytes, on average, of PNG files: their pieces have any order

_MOST_SCANS = 64  # of a JPEG file: encoders write about ten

_MOST_NUMBERS = 1 << 18  # in a tag of a TIFF file: those of strips or tiles
_BYTES_OF_TIFF = (1, 2, 7)  # types of tags that are kept as bytes

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_MATROSKA = b"\x1aE\xdf\xa3"  # and WebM

_JPEG_XL_BYTES, _BYTES_PER_CHANNEL = 24, 8  # for each pixel, at most, while it is decoded


def identify(file: IO[bytes]) -> Image.Image:
    """Open a file without decoding it, in one of the formats that are read here.

    Raises
    ------
    OSError
        If it is in none of them.
    CostlyError
        If it would take time, or memory, out of proportion to its size and pixels.
    """
    with quietly():
        try:
            return _identified(file)
        except CostlyError:
            raise
        except Exception:
            if (repaired_file := repaired(file)) is None:
                raise
            return _identified(repaired_file)


class CostlyError(Exception):
    """A file that is made to be read slowly: no remedy for damaged files is tried."""


class _Pieces:
    """A file that is read in pieces, of which there must not be too many."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._count = self._bytes = self._short_bytes = 0
        self._most_bytes: float = _MOST_BYTES
        self._least_piece: float = float("inf")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Read a piece."""
        data = self._file.read(size)
        self._count += 1
        self._bytes += len(data)
        self._short_bytes += len(data) if 0 <= size < _LONG else 0
        if self._short_bytes > self._most_bytes or self._count > max(_MOST_PIECES, self._bytes / self._least_piece):
            raise CostlyError("it has too many parts, or too much data, besides its pixels")
        return data

    def expect_pixels(self, image_format: str | None) -> None:
        """Read pixels from now on, which in PNG files may be followed by anything."""
        if image_format == "PNG":
            self._most_bytes, self._least_piece = float("inf"), _LEAST_PIECE
        else:
            self.read = self._file.read  # type: ignore


def _identified(file: IO[bytes]) -> Image.Image:
    pieces: Any = _Pieces(file)
    if _most_numbers(file) > _MOST_NUMBERS:
        raise CostlyError(f"a tag has more than {_MOST_NUMBERS} numbers")
    image = _opened(pieces)
    pieces.expect_pixels(image.format)
    if image.format in ("JPEG", "MPO") and _counted_scans(file) > _MOST_SCANS:
        raise CostlyError(f"it has more than {_MOST_SCANS} scans")
    return image


def _most_numbers(file: IO[bytes]) -> int:
    """Return how many numbers the largest tag of a TIFF file has, all of which become Python's; 0 of other formats."""
    file.seek(0)
    start = file.read(16)
    order, is_big = ("<" if start[:2] == b"II" else ">"), 43 in start[2:4]
    if start[:2] not in (b"II", b"MM") or not {42, 43} & set(start[2:4]):
        return 0
    place, first = (8, "Q") if is_big else (4, "L")
    entry = struct.Struct(order + ("HHQ8x" if is_big else "HHL4x"))
    try:
        file.seek(struct.unpack_from(order + first, start, place)[0])
        size = struct.Struct(order + ("Q" if is_big else "H"))
        (count,) = size.unpack(file.read(size.size))
        table = file.read(min(count, 1 << 16) * entry.size)
        tags = entry.iter_unpack(table[: len(table) // entry.size * entry.size])
        return max((numbers for _, kind, numbers in tags if kind not in _BYTES_OF_TIFF), default=0)
    except (struct.error, OverflowError, ValueError):
        return 0
    finally:
        file.seek(0)


def _counted_scans(file: IO[bytes]) -> int:
    """Count the scans of a JPEG file that Pillow has read up to the data of the first, until there are too many.

    A scan of some bytes may change all coefficients, which takes as long as decoding them.
    """
    position = file.tell()
    data = file.read()
    file.seek(position)
    count = 1
    for number, (marker, _, _) in enumerate(jpeg_segments(data), start=1):
        count += marker == START_OF_SCAN
        if count > _MOST_SCANS:
            break
        if number == _MOST_PIECES:
            raise CostlyError(f"it has more than {_MOST_PIECES} segments")
    return count


def _opened(file: IO[bytes]) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(file, formats=_USUAL_FORMATS)
    except UnidentifiedImageError:
        if is_raw(file):
            return _raw(file)
        if is_jpeg_xl(file):
            return _jpeg_xl(file)
        reason = _load_plugin(file)
    try:
        return Image.open(file, formats=[name for name in _OTHER_FORMATS if name in Image.OPEN])
    except UnidentifiedImageError as error:
        if reason is not None:
            raise OSError(reason) from error
        raise


def check_rawpy() -> None:
    """Raise OSError, which says what to install, where RAW files cannot be read."""
    if find_spec("rawpy") is None:
        raise OSError(f"it is RAW: {install_command('raw')}")


def _raw(file: IO[bytes]) -> Image.Image:
    check_rawpy()
    from numpyclip.images.raw import RawImage

    return RawImage(file)


def opening_memory(file: IO[bytes]) -> int:
    """Compute how many bytes opening a file takes at most: JPEG XL is decoded then. The watch is asked about its size.

    Raises
    ------
    PictureError
        If it has too many pixels.
    """
    if not is_jpeg_xl(file):
        return 0
    from PIL import Image

    with suppress(OSError, OverflowError), quietly():  # of one without a header, which is not opened either
        size, extra_channels = jpeg_xl_header(file)
        Image._decompression_bomb_check(size)
        return size[0] * size[1] * (_JPEG_XL_BYTES + extra_channels * _BYTES_PER_CHANNEL)
    return 0


def _jpeg_xl(file: IO[bytes]) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    opening_memory(file)
    try:
        import pillow_jxl  # noqa: F401  which adds itself
    except ImportError as error:
        raise OSError("it is JPEG XL: pip install pillow-jxl-plugin") from error
    try:
        image = Image.open(file, formats=["JXL"])
    except (UnidentifiedImageError, RuntimeError) as error:  # of the plug-in, on how to build it
        raise OSError("it is JPEG XL, but damaged") from error
    if not getattr(image, "jpeg", False):  # the plug-in has turned it, as its codestream says; EXIF data does not count
        image.getexif().pop(ORIENTATION, None)
    return image


def _load_plugin(file: IO[bytes]) -> str | None:
    """Load the plug-in of Pillow that a file needs; say what is wrong if it is missing, or does not open the file."""
    from PIL import Image

    Image.init()
    file.seek(0)
    start = file.read(12)  # ISO/IEC 14496-12, 4.3: the file type box
    brand = start[8:12] if start[4:8] == b"ftyp" else b""
    try:
        if brand in _HEIC_BRANDS:
            from pillow_heif import register_heif_opener

            if "HEIF" not in Image.OPEN:
                register_heif_opener()
        elif brand in _AVIF_BRANDS and "AVIF" not in Image.OPEN:
            import pillow_avif  # noqa: F401  which adds itself, for a Pillow without AVIF
    except ImportError:
        return (
            f"it is HEIC: {install_command('heif')}"
            if brand in _HEIC_BRANDS
            else 'it is AVIF: pip install "pillow>=11.3"'
        )
    if brand in (*_HEIC_BRANDS, *_AVIF_BRANDS):
        return f"it is {'HEIC' if brand in _HEIC_BRANDS else 'AVIF'}, but damaged"
    is_video = brand or start.startswith(_MATROSKA) or (start[:4] == b"RIFF" and start[8:] == b"AVI ")
    return "it is a video: `numpyclip index` embeds its moments" if is_video else None
