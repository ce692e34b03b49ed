"""Files of cameras with several images in them: each is one item of an index, its primary image, upright."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index
from numpyclip.index.update import Report
from tests.raw_files import dng, preview


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112], tags[0x010F], tags[0x0110] = 6, "Google", "Pixel 8"
    tags[0x8769] = {0x9003: "2024:05:01 12:30:00", 0x9011: "+02:00"}
    return tags


def mpo(primary: Image.Image, other: Image.Image) -> bytes:
    file = io.BytesIO()
    primary.save(file, "MPO", save_all=True, append_images=[other], exif=exif(), quality=95)
    return file.getvalue()


def ultra_hdr(primary: Image.Image, other: Image.Image) -> bytes:
    """Append a gain map, as Android does, with the XMP data that says so of both."""
    ours, gain_map = io.BytesIO(), io.BytesIO()
    primary.save(ours, "JPEG", exif=exif(), quality=95)
    other.convert("L").resize((32, 32)).save(gain_map, "JPEG")
    size = len(gain_map.getvalue())
    described = (
        b"http://ns.adobe.com/xap/1.0/\0"
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" '
        b'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
        b'xmlns:Item="http://ns.google.com/photos/1.0/container/item/"><Container:Directory><rdf:Seq>'
        b'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>'
        b'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" '
        b'Item:Length="%d"/></rdf:li></rdf:Seq></Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>' % size
    )

    def with_xmp(data: bytes) -> bytes:
        place = 4 + int.from_bytes(data[4:6], "big")  # behind the first segment
        return data[:place] + b"\xff\xe1" + (2 + len(described)).to_bytes(2, "big") + described + data[place:]

    return with_xmp(ours.getvalue()) + with_xmp(gain_map.getvalue())


def heic_burst(primary: Image.Image, other: Image.Image) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    pillow_heif.register_heif_opener()
    if "HEIF" not in Image.SAVE:
        pytest.skip("this version of pillow-heif encodes nothing")
    file = io.BytesIO()
    burst = pillow_heif.from_pillow(other)
    burst.add_from_pillow(primary)
    burst.add_from_pillow(other)
    burst.save(file, primary_index=1, quality=95, exif=exif().tobytes())
    return file.getvalue()


def test_a_broken_jpeg_says_which_raw_file_it_hides_and_an_empty_one_hides_none(tmp_path: Path, tiny: CLIP) -> None:
    pytest.importorskip("rawpy", reason="the extra numpyclip[raw] is not installed")
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, data in {
        "a.JPG": preview()[:200],
        "a.dng": dng(preview()),
        "b.JPG": b"",
        "b.dng": dng(preview()),
    }.items():
        (folder / name).write_bytes(data)
    index = Index(tmp_path / "index", tiny, create=True)
    told: list[str] = []
    assert index.update([folder], report=told.append) == Report(embedded=1, unreadable=2)
    (beside,) = (problem for problem in told if "beside" in problem)
    assert beside.endswith(" a.dng beside it is left out; remove this file, and the next update adds that one.")
    (folder / "a.JPG").unlink()
    assert index.update().recognised == 1


@pytest.mark.parametrize(("make", "suffix"), [(mpo, ".mpo"), (mpo, ".jpg"), (ultra_hdr, ".jpg"), (heic_burst, ".heic")])
def test_a_file_of_several_images_is_its_primary_one(
    tmp_path: Path,
    tiny: CLIP,
    emoji: dict[str, Image.Image],
    make: Callable[[Image.Image, Image.Image], bytes],
    suffix: str,
) -> None:
    bird, house = (emoji[name].convert("RGB").resize((96, 128)) for name in ("bird", "house"))
    turned = bird.transpose(Image.Transpose.ROTATE_90)  # as the orientation 6 has it
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / f"a{suffix}").write_bytes(make(turned, house))
    index = Index(tmp_path / "index", tiny, create=True)
    assert index.update([folder]) == Report(embedded=1)
    (match,) = index.search("a bird", 9)
    assert match.exif is not None
    assert (match.exif.width, match.exif.height) == (96, 128)
    assert (match.exif.taken, match.exif.offset) == ("2024-05-01T12:30:00", "+02:00")
    assert match.exif.camera == "Google Pixel 8"
    assert match.embedding @ tiny.embed_images(bird)[0] > 0.98
    assert index.update() == Report(unchanged=1)
