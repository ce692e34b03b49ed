"""RAW files: their previews, developed ones, and those that lie."""

import io
import pickle
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.errors import PictureError
from numpyclip.images import formats
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.exif import read_exif
from numpyclip.images.open import decoded, open_picture
from tests.raw_files import dng, preview

pytest.importorskip("rawpy", reason="RAW files need rawpy")

RED, GREEN = (200, 30, 59), (0, 198, 0)
SMALL, DEVELOPED = (320, 240), DecodeOptions(develop_raw=True)


def test_the_preview_is_what_is_seen() -> None:
    image = open_picture(dng(preview()))
    assert (image.size, image.getpixel((599, 0))) == ((600, 400), RED)
    assert open_picture(dng(preview((1200, 800))), draft_size=300).size == (600, 400)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_the_file_is_that_of_its_preview(orientation: int) -> None:
    sides = (300, 240), (240, 300)
    white = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[orientation]
    for options in (DecodeOptions(), DEVELOPED):
        image = open_picture(dng(preview(sides[0]), size=sides[0], orientation=orientation), options)
        assert image.size == sides[orientation > 4]
        corners = {
            (x, y): image.getpixel((x * (image.width - 1), y * (image.height - 1))) for x in (0, 1) for y in (0, 1)
        }
        assert [place for place, color in corners.items() if min(color) > 200] == [white]  # type: ignore[arg-type]
        assert open_picture(dng(preview(), orientation=orientation), DecodeOptions(orient=False)).size == (600, 400)


def test_a_preview_that_stands_upright_already_is_not_turned_again() -> None:
    image = open_picture(dng(preview((400, 600)), orientation=6))
    assert (image.size, image.getpixel((0, 0))) == ((400, 600), (255, 255, 255))


@pytest.mark.parametrize(
    "data",
    [
        dng(size=SMALL),
        dng(preview((160, 120)), size=SMALL),
        dng(preview(), size=SMALL).replace(preview()[:300], b"\xff\xd8 no JPEG".ljust(300)),
    ],
)
def test_without_a_preview_of_some_size_it_is_developed(data: bytes) -> None:
    image = open_picture(data)
    assert (image.size, image.getpixel((319, 0)), image.getpixel((0, 0))) == (SMALL, GREEN, (255, 255, 255))


def test_it_is_developed_by_choice_at_the_size_that_is_enough() -> None:
    data = dng(preview(), size=SMALL)
    assert open_picture(data, DEVELOPED).getpixel((319, 0)) == GREEN
    assert open_picture(data, DEVELOPED, draft_size=120).size == (160, 120)
    assert open_picture(data, DEVELOPED, draft_size=121).size == SMALL


def test_exif_data_is_that_of_the_raw_file() -> None:
    exif = {0x9003: (2, "2024:05:01 12:30:00"), 0x9011: (2, "+02:00"), 0xA434: (2, "50mm"), 0xA432: (5, (50, 1) * 4)}
    found = read_exif(dng(preview(), size=SMALL, orientation=6, exif=exif))
    assert (found.width, found.height) == SMALL[::-1]
    assert (found.taken, found.offset, found.camera, found.lens) == (
        "2024-05-01T12:30:00",
        "+02:00",
        "Nikon D750",
        "50mm",
    )
    xmp = (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:exif="http://ns.adobe.com/exif/1.0/">'
        b'<rdf:Description exif:DateTimeOriginal="2020-01-01T00:00:00"/></rdf:RDF>'
    )
    assert read_exif(dng(outer={700: (1, xmp)})).taken == "2020-01-01T00:00:00"


def test_what_reads_raw_files_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    for read in (open_picture, read_exif):
        with pytest.raises(PictureError, match=r'it is RAW: pip install "numpyclip\[raw\]"'):
            read(dng(preview()))


def test_limits_hold_for_previews_and_samples() -> None:
    few = DecodeOptions(max_pixels=100_000)
    assert open_picture(dng(preview(), size=SMALL), few).size == SMALL  # of which the preview has too many
    assert open_picture(dng(preview((300, 300)), size=(640, 480)), few).size == (300, 300)
    with pytest.raises(PictureError, match=r"^a\.dng: has 640 x 480 pixels"):
        open_picture(dng(size=(640, 480)), few, name="a.dng")
    with pytest.raises(PictureError, match=r"^a\.dng: needs 6144000 bytes"):
        open_picture(dng(size=(640, 480)), DecodeOptions(max_memory=6_000_000), name="a.dng")
    with decoded(dng(size=(640, 480)), DecodeOptions(max_memory=6_200_000)) as image:
        assert image.size == (640, 480)


LIES = {
    "a preview of 2 GB": {"jpeg_tags": {279: (4, 0x7FFFFFFF)}},
    "a preview beyond the end": {"jpeg_tags": {273: (4, 0xFFFFFFF0)}},
    "a preview of 10 gigapixels": {"jpeg_tags": {256: (4, 100_000), 257: (4, 100_000)}},
    "a bitmap of 1 GB": {"jpeg_tags": {256: (4, 20_000), 257: (4, 20_000), 259: (3, 1), 262: (3, 2)}},
    "samples of 4 gigapixels": {"raw_tags": {256: (4, 60_000), 257: (4, 60_000)}},
    "samples of 240 megapixels": {"raw_tags": {256: (4, 16_000), 257: (4, 15_000)}},
    "samples beyond the end": {"raw_tags": {273: (4, 1 << 31)}},
    "no rows": {"raw_tags": {257: (4, 0)}},
    "samples of 64 bits": {"raw_tags": {258: (3, 64)}},
    "directories in a circle": {"outer": {330: (4, [8] * 999)}},
    "dates of 4 GB": {"outer": {34665: (4, 4), 306: (4, [1] * 70_000), 271: (4, 7)}},
}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_files_that_lie_take_no_memory_and_end_nothing() -> None:
    """In a process of its own, which must survive them."""
    header = preview()
    start = header.index(b"\xff\xc0") + 5
    huge = header[:start] + struct.pack(">HH", 60_000, 60_000) + header[start + 4 :]
    files = [dng(header, size=SMALL, **lie) for lie in LIES.values()]  # type: ignore[arg-type]
    files += [dng(header, size=SMALL).replace(header, huge), *(dng(header)[:size] for size in range(8, 3000, 100))]
    files += [start.ljust(5000, b"\xff") for start in (b"FUJIFILMCCD-RAW ", b"\0MRM", b"FOVb", b"\0\0\0\x18ftypcrx ")]
    code = """
        import pickle, resource, sys
        from numpyclip.errors import PictureError
        from numpyclip.images.exif import read_exif
        from numpyclip.images.open import open_picture
        import numpyclip.images.raw
        files = pickle.load(sys.stdin.buffer)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for data in files:
            for read in (open_picture, read_exif):
                try:
                    found = read(data)
                except PictureError as error:
                    found = error
            print(found)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        input=pickle.dumps(files),
        capture_output=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    *answers, used = done.stdout.decode().splitlines()
    assert len(answers) == len(files)
    assert int(used) << 10 < 64 << 20


def test_a_plain_tiff_is_none() -> None:
    for options in ({}, {"compression": "tiff_lzw"}, {"tiffinfo": {271: "NIKON", 330: (8,)}}):
        file = io.BytesIO()
        Image.new("RGB", (30, 20), RED).save(file, "TIFF", **options)
        assert open_picture(file.getvalue()).size == (30, 20)
        assert read_exif(file.getvalue()).width == 30


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's stderr")
def test_what_libraw_prints_is_not_seen_and_the_error_is(capfd: pytest.CaptureFixture[str]) -> None:
    cut = dng(size=SMALL, raw_tags={273: (4, 1_000_000)})
    with pytest.raises(PictureError, match=r"LibRaw: Input/output error"):
        open_picture(cut, DEVELOPED)
    assert capfd.readouterr() == ("", "")
