"""What cameras and phones write beside plain pictures: bursts, several pictures in a file, gain maps, videos."""

import io
import subprocess
import sys

import pytest
from PIL import Image

from numpyclip.errors import PictureError
from numpyclip.images.exif import read_exif
from numpyclip.images.open import open_picture

RED, BLUE = (200, 30, 60), (20, 30, 200)


def is_near(image: Image.Image, color: tuple[int, int, int]) -> bool:
    found = image.convert("RGB").getpixel((5, 5))
    return all(abs(a - b) < 12 for a, b in zip(found, color, strict=True))  # type: ignore[arg-type]


def mpo() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), RED).save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (32, 24), BLUE)])
    return file.getvalue()


def test_of_several_pictures_in_a_jpeg_the_first_is_read() -> None:
    for draft_size in (None, 10):
        image = open_picture(mpo(), draft_size=draft_size)
        assert is_near(image, RED)
    assert read_exif(mpo()).width == 64


def test_of_ultra_hdr_the_base_picture_is_read_and_no_gain_map() -> None:
    data = mpo()
    xmp = (
        b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description hdrgm:Version="1.0" '
        b'exif:DateTimeOriginal="2024-05-01T12:30:00+02:00"/></x:xmpmeta>'
    )
    data = data[:2] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + data[2:]
    image = open_picture(data)
    assert image.size == (64, 48)
    assert is_near(image, RED)


def test_a_video_behind_a_picture_changes_nothing() -> None:
    """As motion photos of Android have it."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), RED).save(file, "JPEG")
    data = file.getvalue() + b"\0\0\0\x18ftypmp42" + bytes(100_000)
    assert is_near(open_picture(data), RED)


def test_of_a_burst_in_heic_the_primary_picture_is_read() -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    pillow_heif.register_heif_opener()
    if "HEIF" not in Image.SAVE:
        pytest.skip("this version of pillow-heif encodes nothing")
    file = io.BytesIO()
    burst = pillow_heif.from_pillow(Image.new("RGB", (32, 32), RED))
    burst.add_from_pillow(Image.new("RGB", (64, 48), BLUE))
    burst.save(file, primary_index=1)
    image = open_picture(file.getvalue())
    assert image.size == (64, 48)
    assert is_near(image, BLUE)
    assert read_exif(file.getvalue()).width == 64


def test_avif_is_turned_once() -> None:
    if "AVIF" not in Image.registered_extensions().values() or "AVIF" not in Image.SAVE:
        pytest.skip("this version of Pillow has no AVIF")
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (64, 48), RED).save(file, "AVIF", exif=exif)
    assert open_picture(file.getvalue()).size == (48, 64)
    assert (read_exif(file.getvalue()).width, read_exif(file.getvalue()).height) == (48, 64)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    for module, names in (("pillow_jxl", ["JXL"]), ("pillow_heif", ["HEIF"]), ("pillow_avif", ["AVIF"])):
        monkeypatch.setitem(sys.modules, module, None)
        for name in names:
            monkeypatch.delitem(Image.OPEN, name, raising=False)
    files = {
        r"it is JPEG XL: pip install pillow-jxl-plugin": b"\xff\x0a\x10\xb0",
        r'it is HEIC: pip install "numpyclip\[heif\]"': b"\0\0\0\x18ftypheic" + bytes(100),
        r'it is AVIF: pip install "pillow>=11.3"': b"\0\0\0\x18ftypavif" + bytes(100),
    }
    for said, data in files.items():
        with pytest.raises(PictureError, match=said):
            open_picture(data)


@pytest.mark.parametrize(("brand", "form", "package"), [("heic", "HEIC", "pillow_heif"), ("avif", "AVIF", None)])
def test_what_is_damaged_is_named(brand: str, form: str, package: str | None) -> None:
    if package is not None:
        pytest.importorskip(package, reason=f"{form} needs a plug-in")
    else:
        from PIL import Image

        Image.init()
        if form not in Image.OPEN:
            pytest.skip("this version of Pillow has no AVIF")
    with pytest.raises(PictureError, match=rf"a\.jpg: cannot be read as an image \(it is {form}, but damaged\)"):
        open_picture(b"\0\0\0\x18ftyp" + brand.encode() + bytes(100), name="a.jpg")


def test_plugins_are_imported_only_for_their_files() -> None:
    code = """if True:
        import io, sys
        from PIL import Image
        from numpyclip.images.open import open_picture
        for form in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"):
            file = io.BytesIO()
            Image.new("RGB", (8, 8)).save(file, form)
            open_picture(file.getvalue())
        print(sorted({"rawpy", "pillow_jxl", "pillow_heif", "pillow_avif"} & set(sys.modules)))
    """
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.split() == [b"[]"]
