from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from numpyclip.images.embedded_xmp import embedded_packet
from numpyclip.xmp.properties import marks_in
from tests.picture_files import with_xmp
from tests.raw_files import dng, preview
from tests.xmp.test_packet import LIGHTROOM

XMP = LIGHTROOM.encode()


def made(kind: str) -> bytes:
    """Make an image file with XMP in it, by what Pillow 10.1 has."""
    file, image = BytesIO(), Image.new("RGB", (8, 8))
    if kind == "DNG":
        return dng(preview(), outer={700: (1, XMP)})
    if kind == "PNG":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", LIGHTROOM)
        image.save(file, kind, pnginfo=text)
    elif kind == "TIFF":
        tags = ImageFileDirectory_v2()
        tags.tagtype[700] = 1
        tags[700] = XMP
        image.save(file, kind, tiffinfo=tags)
    else:
        image.save(file, kind, **({} if kind == "JPEG" else {"xmp": XMP}))
    return with_xmp(file.getvalue(), XMP) if kind == "JPEG" else file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "DNG", "HEIF", "AVIF"])
def test_xmp_in_an_image_is_read(kind: str, tmp_path: Path) -> None:
    if kind == "DNG":
        pytest.importorskip("rawpy", reason="reads RAW files")
    if kind == "HEIF":
        pytest.importorskip("pillow_heif", reason="writes HEIC").register_heif_opener()
    Image.init()
    if kind == "AVIF" and kind not in Image.SAVE:
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / "a"
    path.write_bytes(made(kind))
    packet = embedded_packet(str(path))
    assert packet is not None
    assert marks_in(packet).rating == 3


def test_images_without_xmp_or_with_broken_xmp_have_none(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.webp", xmp=b"<a>")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.jpg")
    (tmp_path / "c.jpg").write_bytes(b"no image")
    Image.new("RGB", (8, 8)).save(tmp_path / "e.tif")
    names = ("a.webp", "b.jpg", "c.jpg", "d.jpg", "e.tif")
    assert [embedded_packet(str(tmp_path / name)) for name in names] == [None] * 5
