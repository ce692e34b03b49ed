"""Files whose end is missing are read where nearly all is there, and what is not about pixels refuses none."""

import io
import struct
import threading
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from numpyclip.errors import PictureError
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.formats import identify
from numpyclip.images.open import open_picture

STRICT = DecodeOptions(strict_files=True)


def scene() -> NDArray[np.uint8]:
    """A picture with detail at every place, though not so much that files become large."""
    y, x = np.mgrid[0:300, 0:400]
    smooth = np.stack([x * 0.6 % 256, y * 0.8 % 256, (x + y) % 256], axis=-1)
    noise = np.random.default_rng(0).integers(-20, 21, (300, 400, 1))
    clipped: NDArray[np.uint8] = (smooth + noise).clip(0, 255).astype(np.uint8)
    return clipped


SCENE = scene()


def encoded(form: str, pixels: NDArray[np.uint8] = SCENE, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 85}),
    "JPEG 4:4:4": ("JPEG", {"subsampling": 0}),
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {}),
    "BMP": ("BMP", {}),
    "PPM": ("PPM", {}),
    "TIFF": ("TIFF", {}),
}


def opened(data: bytes, options: DecodeOptions = DEFAULTS, **more: Any) -> tuple[Image.Image, list[str]]:
    """Open a picture named "a.jpg"; also return what is said of it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        picture = open_picture(data, options, name="a.jpg", **more)
    return picture, [str(warning.message) for warning in told]


@pytest.mark.parametrize("missing", [2, 33, 200])
@pytest.mark.parametrize("form", FORMS)
def test_a_file_without_its_last_bytes_is_accepted_with_a_note(form: str, missing: int) -> None:
    name, options = FORMS[form]
    data = encoded(name, **options)
    whole, told = opened(data)
    assert told == []
    picture, told = opened(data[:-missing])
    assert picture.size == whole.size
    assert len(told) == 1
    assert told[0].startswith("a.jpg: its end is missing, ")
    kept = picture.height * 95 // 100
    box = (0, 300 - kept, 400, 300) if name == "BMP" else (0, 0, 400, kept)  # which is stored from below
    assert np.abs(np.asarray(picture.crop(box), int) - np.asarray(whole.crop(box))).mean() < 1
    with pytest.raises(PictureError, match=r"^a\.jpg: cannot be read as an image \(its end is missing, \d+\.\d% of it"):
        open_picture(data[:-missing], STRICT, name="a.jpg")
    assert open_picture(data, STRICT).size == whole.size


@pytest.mark.parametrize("missing", [3, 5, 6])
def test_a_smooth_webp_whose_last_bits_are_looked_for_beyond_its_end_is_accepted(missing: int) -> None:
    slope = np.broadcast_to(np.arange(200, dtype=np.uint8)[:, np.newaxis, np.newaxis], (200, 200, 3))
    data = encoded("WEBP", np.ascontiguousarray(slope), quality=10)
    assert np.abs(np.asarray(opened(data[:-missing])[0], int) - slope)[:190].mean() < 3


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_which_much_is_missing_is_refused_and_says_how_much(form: str, share: float) -> None:
    name, options = FORMS[form]
    data = encoded(name, **options)
    with pytest.raises(PictureError, match=r"its end is missing, (\d+\.\d)% of it is there\)\.$") as caught:
        open_picture(data[: int(len(data) * share)])
    stated = float(str(caught.value).partition("missing, ")[2].partition("%")[0]) / 100
    assert abs(stated - share) < (0.5 if "progressive" in form else 0.15)


def test_of_a_progressive_jpeg_all_scans_count() -> None:
    data = encoded("JPEG", progressive=True)
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    for place in [scan - cut for scan in scans[1:] for cut in (0, 100)] + [len(data) - len(data) // 10]:
        with pytest.raises(PictureError, match=r"its end is missing, \d"):
            open_picture(data[:place])


def test_what_looks_like_a_scan_in_other_segments_is_none() -> None:
    data = encoded("JPEG", progressive=True)
    segment = b"\xff\xef\xff\xff" + b"\xff\xda" * 32766 + b"\xff"
    for whole in (data[:2] + segment + data[2:-2], data[:-2] + segment, data[:2] + segment + data[2:]):
        assert opened(whole)[0].size == (400, 300)


def test_the_scans_and_segments_of_a_jpeg_have_a_limit() -> None:
    data = encoded("JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert opened(data[:-2] + scan * 20 + data[-2:])[0].size == (400, 300)
    for end in (data[-2:], b""):
        with pytest.raises(PictureError, match=r"\(it has more than 64 scans\)"):
            open_picture(data[:-2] + scan * 100 + end)
    with pytest.raises(PictureError, match=r"\(it has more than 10000 segments\)"):
        open_picture(data[:-2] + b"\xff\xfe\0\2" * 10_001)


def test_a_damaged_header_of_a_scan_is_damage() -> None:
    data = encoded("JPEG", progressive=True)
    for header in (b"", b"\1", b"\3\1\0\0\0\0"):
        segment = b"\xff\xda" + struct.pack(">H", 2 + len(header)) + header
        with pytest.raises(PictureError, match=r"\((the header of a scan is damaged|broken data stream)"):
            open_picture(data[:-2] + segment + bytes(9))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 20, 90)])
def test_plain_ground_at_the_end_is_not_taken_for_a_missing_part(
    colour: tuple[int, int, int], progressive: bool
) -> None:
    pixels = np.full((600, 400, 3), colour, np.uint8)
    pixels[100:200, 100:200] = SCENE[:100, :100]
    assert opened(encoded("JPEG", pixels, progressive=progressive)[:-2])[0].size == (400, 600)


def test_a_draft_is_read_as_far_as_it_goes_too() -> None:
    data = encoded("JPEG", np.tile(SCENE, (4, 4, 1)))
    picture, told = opened(data[:-300], draft_size=128)
    assert (picture.size, len(told)) == ((200, 150), 1)
    with pytest.raises(PictureError, match="its end is missing, 6"):
        open_picture(data[: len(data) * 2 // 3], draft_size=128)


def test_a_sideways_photograph_without_its_end_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert opened(encoded("JPEG", exif=exif)[:-2])[0].size == (300, 400)


def test_what_follows_the_end_does_not_matter() -> None:
    for form in ("JPEG", "PNG", "WebP", "BMP", "PPM"):
        name, options = FORMS[form]
        assert opened(encoded(name, **options) + b"SEFT" * 500, STRICT)[1] == []


def test_damage_elsewhere_is_not_taken_for_a_missing_end() -> None:
    data = bytearray(encoded("PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(PictureError):
        open_picture(bytes(data))


def test_no_switch_of_pillow_is_touched() -> None:
    data = encoded("JPEG")[:-2]
    seen: list[bool] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.append(ImageFile.LOAD_TRUNCATED_IMAGES)

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(5):
        opened(data)
    stop.set()
    thread.join()
    assert not any(seen)
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(data)).load()


# PNG: what is not about pixels


def chunk(kind: bytes, data: bytes, wrong: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ wrong)


TEXT = b"Comment\0\0"
BOMB = zlib.compress(bytes(2 << 20), 9)
ODD: dict[str, bytes] = {
    "compressed text": chunk(b"zTXt", TEXT + BOMB),
    "international text": chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB),
    "profile": chunk(b"iCCP", b"x\0\0" + BOMB),
    "damaged text": chunk(b"zTXt", TEXT + b"no zlib"),
    "damaged profile": chunk(b"iCCP", b"x\0\0no zlib"),
    "wrong checksum of a text": chunk(b"tEXt", b"a\0b", wrong=1),
    "wrong checksum of EXIF data": chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0", wrong=1),
    "wrong checksum of pHYs": chunk(b"pHYs", bytes(9), wrong=1),
    "short pHYs": chunk(b"pHYs", b"1"),
    "short gAMA": chunk(b"gAMA", b""),
    "short cHRM": chunk(b"cHRM", b"1"),
    "unknown": chunk(b"prVt", b"1", wrong=7),
    "damaged animation": chunk(b"acTL", b"1", wrong=7),
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_a_png_is_read_whatever_is_said_beside_its_pixels(name: str, after: bool) -> None:
    data = encoded("PNG", SCENE[:9, :7])
    place = len(data) - 12 if after else 33
    odd = data[:place] + ODD[name] + data[place:]
    for options in (DecodeOptions(), STRICT):
        picture, told = opened(odd, options)
        assert np.array_equal(np.asarray(picture.convert("RGB")), SCENE[:9, :7])
        assert all("EXIF" in note for note in told)
    assert identify(io.BytesIO(odd)).size == (7, 9)


def test_more_text_than_pillow_allows_is_no_reason_to_refuse_a_png() -> None:
    data = encoded("PNG", SCENE[:9, :7])
    texts = b"".join(chunk(b"tEXt", b"%d\0" % n + bytes(1 << 20)) for n in range(65))
    assert opened(data[:33] + texts + data[33:])[0].size == (7, 9)


def test_the_orientation_and_transparency_of_a_mended_png_count() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("P", (5, 3)).save(file, "PNG", exif=exif, transparency=0)
    data = file.getvalue()
    picture, _ = opened(data[:33] + ODD["damaged text"] + data[33:])
    assert picture.size == (3, 5)
    assert picture.convert("RGBA").getpixel((0, 0)) == (0, 0, 0, 0)


def test_a_wrong_checksum_of_what_pixels_need_refuses_it() -> None:
    data = encoded("PNG", SCENE[:9, :7])
    with pytest.raises(PictureError):
        open_picture(data[:29] + b"\0\0\0\0" + data[33:])


def test_the_chunks_of_a_file_have_a_limit() -> None:
    """Each is a step of Python; 16 MB of empty ones took seconds, and 13 times their memory."""
    png = encoded("PNG", SCENE[:9, :7])
    empty = chunk(b"IDAT", b"")
    assert opened(png[:33] + ODD["damaged text"] + empty * 99 + png[33:])[0].size == (7, 9)
    webp = b"WEBP" + b"JUNK\0\0\0\0" * 100_001
    for data in (
        png[:33] + ODD["compressed text"] + empty * 100_001 + png[33:],
        b"RIFF" + struct.pack("<I", len(webp) + 1) + webp,
    ):
        with pytest.raises(PictureError, match=r"\(it has more than 100000 chunks\)"):
            open_picture(data)
