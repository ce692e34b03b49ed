"""FILE → FORMAT: the formats that are decoded, at every door, and the plug-ins that do it."""

from __future__ import annotations

from contextlib import suppress
from io import SEEK_END
from math import inf
from typing import IO, TYPE_CHECKING, Any

from numpyclip.images.damaged import repaired
from numpyclip.images.watch import quietly

if TYPE_CHECKING:
    from PIL import Image

# All that Pillow may decode: the formats in which people keep images. It knows others, of which some start programs
# (EPS) and most are looked at by nobody but attackers. The first are loaded in no time and are tried first.
_USUAL_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM")  # MPO files open as JPEG
_OTHER_FORMATS = ("WEBP", "AVIF", "HEIF", "TIFF", "JPEG2000", "JXL", "ICO", "TGA")

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

# Pillow reads some headers, and some pixels, byte by byte in Python, whatever their length.
_MOST_READS_OF_HEADER = 100_000
_MOST_READS_OF_PIXELS = 500_000


class _ReadLimit:
    """A file that is read so many times only, and for its header not much more than twice.

    Tags of TIFF files may overlap, and Pillow before 13 keeps a copy for each.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._reads, self.most, self.part = 0, _MOST_READS_OF_HEADER, "header"
        self.bytes_left: float = 2 * file.seek(0, SEEK_END) + (1 << 20)
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        self._reads += 1
        if self._reads > self.most:
            raise OSError(f"its {self.part} takes more than {self.most} reads")
        data = self._file.read(size)
        self.bytes_left -= len(data)
        if self.bytes_left < 0:
            raise OSError("its header overlaps itself")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def identify(file: IO[bytes]) -> Image.Image:
    """Open a file without decoding it, in one of the formats that are read here.

    Raises
    ------
    OSError
        If it is in none of them.
    """
    with quietly():
        try:
            return _identified(file)
        except Exception:
            if (repaired_file := repaired(file)) is None:
                raise
            return _identified(repaired_file)


def _identified(file: IO[bytes]) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        return _opened(file, _USUAL_FORMATS)
    except UnidentifiedImageError:
        has_heif = _load_plugins()
    try:
        return _opened(file, tuple(name for name in _OTHER_FORMATS if name in Image.OPEN))
    except UnidentifiedImageError as error:
        if _is_heic(file) and not has_heif:
            raise OSError('it is HEIC: pip install "numpyclip[heif]"') from error
        raise


def _opened(file: IO[bytes], formats: tuple[str, ...]) -> Image.Image:
    from PIL import Image

    limited: Any = _ReadLimit(file)
    image = Image.open(limited, formats=formats)
    limited.most, limited.part, limited.bytes_left = _MOST_READS_OF_PIXELS, "content", inf
    return image


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
