"""FILE → FORMAT: the formats that are decoded, at every door, and the plug-ins that do it."""

from __future__ import annotations

from contextlib import suppress
from typing import IO, TYPE_CHECKING

from numpyclip.images.damaged import openable
from numpyclip.images.watch import quietly

if TYPE_CHECKING:
    from PIL import Image

# All that Pillow may decode: the formats in which people keep pictures. It knows others, of which some start programs
# (EPS) and most are looked at by nobody but attackers. The first are loaded in no time and are tried first.
_USUAL_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM")  # of JPEG's is MPO, which has two
_OTHER_FORMATS = ("WEBP", "AVIF", "HEIF", "TIFF", "JPEG2000", "JXL", "ICO", "QOI", "TGA")

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


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
            if (mended := openable(file)) is None:
                raise
            return _identified(mended)


def _identified(file: IO[bytes]) -> Image.Image:
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
