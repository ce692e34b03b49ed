import io
from typing import Any

import pytest
from PIL import Image

from numpyclip.errors import PictureError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.exif import read_exif
from numpyclip.images.jpeg_xl import Header, is_jpeg_xl, jpeg_xl_header
from numpyclip.images.open import open_picture

CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
SIZES = [(300, 200), (1, 1), (8, 8), (256, 256), (160, 90), (64, 48), (3000, 2), (2, 9000), (777, 555)]


@pytest.fixture(autouse=True)
def _plugin() -> None:
    pytest.importorskip("pillow_jxl", reason="JPEG XL needs pillow-jxl-plugin")


def encoded(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JXL", effort=1, **options)
    return file.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_the_size_is_read_without_decoding(size: tuple[int, int]) -> None:
    for mode, extra in (("RGB", 0), ("LA", 1)):
        for options in ({}, {"use_container": True}, {"lossless": True}, {"exif": b"MM\0*\0\0\0\x08\0\0"}):
            file = io.BytesIO(encoded(Image.new(mode, size), **options))
            assert is_jpeg_xl(file)
            assert jpeg_xl_header(file) == Header(size, extra)


def test_it_is_decoded() -> None:
    image = open_picture(encoded(Image.new("RGB", (30, 20), (200, 30, 60)), lossless=True))
    assert (image.size, image.getpixel((0, 0))) == ((30, 20), (200, 30, 60))


def test_exif_data_are_read_but_for_the_orientation_which_the_codestream_says() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = 6, "X"
    data = encoded(Image.new("RGB", (30, 20)), exif=exif.tobytes())
    assert open_picture(data).size == (30, 20)
    found = read_exif(data)
    assert (found.width, found.height, found.camera) == (30, 20, "X")


def header(width: int, height: int) -> bytes:
    """Write a codestream of this size, with nothing behind it."""
    bits = (height - 1) << 3 | 3 << 1  # not small, of 30 bits
    bits |= ((width - 1) << 5 | 3 << 3) << 33
    return b"\xff\x0a" + (bits | 1 << 68).to_bytes(60, "little")


@pytest.mark.parametrize("boxes", [b"", CONTAINER + b"\0\0\0\0jxlc", CONTAINER + b"\0\0\0\0jxlp\0\0\0\0"])
def test_a_bomb_is_refused_before_it_is_decoded(boxes: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    import pillow_jxl.JpegXLImagePlugin as plugin

    monkeypatch.setattr(plugin, "Decoder", lambda **_: pytest.fail("it is decoded"))
    with pytest.raises(PictureError, match=r"^a\.jxl: has 60000 x 50000 pixels"):
        open_picture(boxes + header(60_000, 50_000), name="a.jxl")
    with pytest.raises(PictureError, match=r"^a\.jxl: needs 240000000 bytes"):
        open_picture(boxes + header(5000, 2000), DecodeOptions(max_memory=1 << 27), name="a.jxl")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\x0a",
        CONTAINER,
        CONTAINER + bytes(100),
        CONTAINER + b"\0\0\0\x08jxlp" * 5000,
        CONTAINER + b"\0\0\0\1free\xff\xff\xff\xff\xff\xff\xff\xff",
        CONTAINER + b"\0\0\0\1jxlc\0\0\0\0\0\0\0\0" + header(3, 3),
        header(3, 3),
    ],
)
def test_what_is_damaged_is_refused_by_name(data: bytes) -> None:
    for read in (open_picture, read_exif):
        with pytest.raises(
            PictureError, match=r"^a\.jxl: cannot be read as an image \(it is JPEG XL, but damaged\)\.$"
        ):
            read(data, name="a.jxl")
