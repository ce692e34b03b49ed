"""Picture files that are cut, spliced and changed at random: a picture or a PictureError, in bounded memory."""

import io
import struct
import sys
import warnings
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from numpyclip.errors import PictureError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.preprocess import Preprocess

CORPUS = Path(__file__).parent / "corpus" / "pictures"
OPTIONS = DecodeOptions(max_pixels=1_000_000)
FORMS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 60},
    "JPEG progressive": {"progressive": True},
    "PNG": {},
    "PNG interlaced": {"interlace": 1},
    "WEBP": {},
    "WEBP lossless": {"lossless": True},
    "GIF": {},
    "TIFF": {"compression": "tiff_lzw"},
    "TIFF jpeg": {"compression": "jpeg"},
    "TIFF deep": {},
    "BMP": {},
    "PPM": {},
    "TGA": {"compression": "tga_rle"},
    "ICO": {},
    "JPEG2000": {},
    "AVIF": {"speed": 10},
    "MPO": {},
}


@cache
def seed(name: str) -> bytes:
    """A small file of a form, with EXIF data where it may have some."""
    pixels = np.random.default_rng(0).integers(0, 256, (18, 21, 3), dtype=np.uint8)
    image = Image.fromarray(pixels[..., 0].astype(np.float32) if name == "TIFF deep" else pixels)
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2024:05:01 12:30:00"
    form = name.split()[0]
    options = {**FORMS[name], **({"exif": exif} if form in ("JPEG", "PNG", "WEBP", "AVIF", "MPO") else {})}
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Damage a file: bytes and numbers are changed, parts cut out, doubled, or put in from another file."""
    data = bytearray(seed(draw(st.sampled_from(sorted(FORMS)))))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(data) - 1, 0)) | st.integers(0, 64))
        length = draw(st.integers(1, 40))
        match draw(st.sampled_from(["byte", "number", "cut", "end", "double", "splice"])):
            case "byte":
                data[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "number":
                number = draw(st.sampled_from([0, 1, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1]))
                data[place : place + 4] = struct.pack(draw(st.sampled_from("<>")) + "I", number)
            case "cut":
                del data[place : place + length]
            case "end":
                del data[place:]
            case "double":
                data[place:place] = data[place : place + length] * draw(st.integers(1, 50))
            case "splice":
                other = seed(draw(st.sampled_from(sorted(FORMS))))
                data[place:place] = other[place : place + length * 10]
    return bytes(data)


def checksums_mended(data: bytes) -> bytes:
    """Write checksums of PNG chunks anew, so that damage reaches what is behind them."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    mended, place = bytearray(data), 8
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4], "big")
        mended[end : end + 4] = struct.pack(">I", zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return bytes(mended[: len(data)])


def check(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = Preprocess(16).read(data, OPTIONS, name="p")
        except PictureError as error:
            assert str(error).startswith("p: ")
        else:
            assert pixels.shape == (16, 16, 3)


@given(damaged())
def test_a_damaged_picture_is_read_or_refused(data: bytes) -> None:
    check(data)
    check(checksums_mended(data))


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"P5 ", b"II*\0"]),
)
def test_what_only_begins_as_a_picture_is_refused(rest: bytes, start: bytes) -> None:
    check(start + rest)


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_what_was_found_once_stays_refused_or_read(path: Path) -> None:
    check(path.read_bytes())


@pytest.mark.skipif(sys.platform != "linux", reason="the largest size of this process is known on Linux only")
def test_memory_is_bounded() -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    given(damaged())(check)()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # kB
