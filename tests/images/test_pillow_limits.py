"""Pillow's words about a picture name it, its limits are the picture's own, and other threads see none of that."""

import io
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.errors import PictureError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.formats import identify
from numpyclip.images.open import open_picture
from numpyclip.images.pillow_limits import quietly, watched
from tests.picture_files import NOISE, encoded


def corrupt_exif() -> bytes:
    """A JPEG of which Pillow warns."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + struct.pack("<HHII", 0x010E, 2, 900, 20) + b"\0" * 7
    return encoded(Image.fromarray(NOISE), "JPEG", exif=exif)


def size_only(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b""))):
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data


def test_a_warning_of_pillow_begins_with_the_name() -> None:
    with pytest.warns(UserWarning) as told:
        open_picture(corrupt_exif(), name="photo.jpg")
    assert [str(warning.message).partition(": ")[0] for warning in told] == ["photo.jpg"] * len(told)
    assert len(told) > 0


def test_the_filters_of_warnings_do_not_grow() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with watched("a"):
            pass
        count = len(warnings.filters) + 1
        for n in range(20):
            warnings.filterwarnings("ignore", message="of others")
            with ThreadPoolExecutor(4) as threads, watched(f"{n}") as watch:
                list(threads.map(lambda _: open_picture(encoded(Image.fromarray(NOISE), "PNG")), range(4)))
                warnings.warn("mine", stacklevel=1)
            assert list(watch.notes) == ["mine"]
            assert len(warnings.filters) == count


def test_a_warning_names_no_line_of_a_caller() -> None:
    """Most images are read on threads, where there is none; the name in the warning tells them apart."""
    with pytest.warns(UserWarning) as told:
        open_picture(corrupt_exif(), name="photo.jpg")
    assert {Path(warning.filename).name for warning in told} == {"pillow_limits.py"}


def test_each_picture_is_named_also_where_pillow_would_say_it_once() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for name in ("a.jpg", "b.jpg"):
            open_picture(corrupt_exif(), name=name)
    assert {str(warning.message).partition(": ")[0] for warning in told} == {"a.jpg", "b.jpg"}


def test_only_the_thread_that_watches_is_affected() -> None:
    told: list[str] = []
    watching, warned = threading.Event(), threading.Event()

    def other() -> None:
        watching.wait()
        with watched("other"):
            pass
        warnings.warn("mine", stacklevel=1)
        Image._decompression_bomb_check((10, 10))
        warned.set()

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        thread = threading.Thread(target=other)
        thread.start()
        with watched("a", DecodeOptions(max_pixels=99)) as watch:
            watching.set()
            warned.wait()
            warnings.warn("about a", stacklevel=1)
            with pytest.raises(PictureError, match=r"^a: has 10 x 10 pixels, 100 in all; expected at most 99\."):
                Image._decompression_bomb_check((10, 10))
            told += watch.notes
        thread.join()
    assert told == ["about a"]
    assert sorted(str(warning.message) for warning in shown) == ["a: about a", "mine"]


def test_the_limit_of_pillow_itself_stays_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    open_picture(encoded(Image.fromarray(NOISE), "PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(encoded(Image.fromarray(NOISE), "PNG")))
    open_picture(encoded(Image.fromarray(NOISE), "PNG"))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(9248, 6936), (15811, 15811)])
def test_up_to_250_megapixels_are_no_bomb(size: tuple[int, int]) -> None:
    with pytest.raises(PictureError, match=r"its end is missing, 0\.0% of it"):
        open_picture(size_only(*size), draft_size=1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(15812, 15812), (60000, 60000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1)])
def test_more_are_refused_at_every_size(size: tuple[int, int]) -> None:
    with pytest.raises(
        PictureError, match=r"^big: has \d+ x \d+ pixels, .* expected at most 250000000\. A larger max_pix"
    ):
        open_picture(size_only(*size), name="big")


@pytest.mark.filterwarnings("error")
def test_pictures_within_pictures_have_the_same_limit() -> None:
    inner = encoded(Image.new("L", (40, 40)), "PNG")
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 8, len(inner), 22) + inner
    with pytest.warns(UserWarning, match=r"^icon: Image was not the expected size"):
        assert open_picture(icon, name="icon").size == (40, 40)
    with pytest.raises(PictureError, match=r"has 40 x 40 pixels, 1600 in all; expected at most 300\."):
        open_picture(icon, DecodeOptions(max_pixels=300))
    frames = {"save_all": True, "append_images": [Image.new("L", (24, 16), 9)]}
    for form in ("GIF", "WEBP", "PNG", "TIFF", "MPO"):
        data = encoded(Image.fromarray(NOISE), form, **({} if form == "MPO" else frames))
        with pytest.raises(PictureError, match="expected at most 300"):
            open_picture(data, DecodeOptions(max_pixels=300))


@pytest.mark.filterwarnings("error")
def test_a_header_is_looked_at_without_a_word_and_without_the_limit_of_pillow() -> None:
    assert identify(io.BytesIO(size_only(20_000, 20_000))).size == (20_000, 20_000)
    with quietly():
        assert 0x010E not in identify(io.BytesIO(corrupt_exif())).getexif()
