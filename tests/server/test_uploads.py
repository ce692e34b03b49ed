import base64
import struct
import zlib

import pytest
from PIL import Image

from numpyclip.errors import PictureError
from numpyclip.server.uploads import check_upload, decode_base64
from tests.picture_files import encoded


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "ICO"])
def test_the_formats_of_pictures_are_allowed(kind: str) -> None:
    check_upload(encoded(Image.new("RGB", (32, 16), "red"), kind), 1000, "image")


@pytest.mark.parametrize("kind", ["EPS", "PDF", "PCX", "SGI", "XBM"])
def test_formats_that_nobody_keeps_pictures_in_are_not(kind: str) -> None:
    data = encoded(Image.new("1" if kind == "XBM" else "RGB", (32, 16)), kind)
    with pytest.raises(PictureError, match=r"image: \d+ bytes cannot be read as an image"):
        check_upload(data, 1000, "image")


def test_bombs_are_refused_before_they_are_decoded() -> None:
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    with pytest.raises(PictureError, match=r"picture 3: "):  # Pillow's own limit
        check_upload(data, 64_000_000, "picture 3")
    with pytest.raises(PictureError, match=r"has 100 x 100 pixels, 10000 in all; expected at most 9999"):
        check_upload(encoded(Image.new("RGB", (100, 100)), "PNG"), 9999, "image")


@pytest.mark.parametrize("cut", [0, 1, 20])
def test_what_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(PictureError):
        check_upload(encoded(Image.new("RGB", (40, 40)), "PNG")[:cut], 10_000, "image")


def test_base64_may_be_plain_or_a_data_uri() -> None:
    text = base64.b64encode(b"hello").decode()
    for given in (text, f"data:image/png;base64,{text}", f"DATA:image/svg+xml;charset=utf-8;BASE64,{text}"):
        assert decode_base64(given, "picture") == b"hello"


@pytest.mark.parametrize("text", ["hello!", "data:image/png,hello", "data:image/png;base64,***", "é", "aGVsbG8"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(PictureError, match="is not base64"):
        decode_base64(text, "picture")
