import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.errors import InputError, PictureError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.viz.contact_sheet import contact_sheets
from tests.picture_files import ORIENTATION
from tests.viz.conftest import Drawn

RED, BLUE = (255, 0, 0), (0, 0, 255)


def test_pictures_stand_in_rows_with_room_for_their_captions() -> None:
    tiles = [(Image.new("RGB", (64, 64), colour), "a") for colour in (RED, BLUE, RED, BLUE, RED)]
    (page,) = contact_sheets(tiles, columns=3, side=64)
    assert page.size == (12 + 3 * 76, 12 + 2 * (76 + 18))
    middles = [page.getpixel((12 + 76 * x + 32, 12 + 94 * y + 32)) for y in range(2) for x in range(3)]
    assert middles == [RED, BLUE, RED, BLUE, RED, (255, 255, 255)]
    caption = np.asarray(page)[12 + 66 : 12 + 94, 12:76]
    assert caption.min() < 120


def test_pages_come_one_by_one_and_pictures_are_read_page_by_page() -> None:
    read = 0

    def tiles() -> Iterator[tuple[Image.Image, str]]:
        nonlocal read
        for _ in range(7):
            read += 1
            yield Image.new("RGB", (9, 9)), ""

    pages = contact_sheets(tiles(), columns=2, rows=2, side=32)
    assert next(pages).size == (12 + 2 * 44, 12 + 2 * 44)
    assert read == 4
    assert next(pages).size == (12 + 2 * 44, 12 + 2 * 44)
    assert next(pages, None) is None


def test_what_cannot_be_read_is_crossed_out_and_reported(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no picture")
    errors: list[PictureError] = []
    (page,) = contact_sheets(
        [(broken, "x"), (Image.new("RGB", (9, 9), RED), "y")], side=160, report=errors.append
    )  # fmt: skip
    assert [str(broken) in str(error) for error in errors] == [True]
    reddish = np.asarray(page)[12:172, 12:172].astype(int)
    assert ((reddish[..., 0] - reddish[..., 1]) > 60).sum() > 50  # the words on it
    assert page.getpixel((12 + 172 + 80, 92)) == RED


@pytest.mark.parametrize(("orient", "width"), [(True, 40), (False, 160)])
def test_pictures_are_turned_as_exif_says(tmp_path: Path, orient: bool, width: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", (40, 10), RED).save(tmp_path / "a.png", exif=exif)
    (page,) = contact_sheets([(tmp_path / "a.png", "")], side=160, options=DecodeOptions(orient=orient))
    row = np.asarray(page)[12 + 80, 12:172]
    assert (row == RED).all(axis=1).sum() == width


def test_captions_have_three_lines_at_most() -> None:
    heights = [next(contact_sheets([(np.zeros((5, 5), np.uint8), "\n".join("abcde"[:n]))])).height for n in range(6)]
    assert np.diff(heights).tolist() == [18, 18, 18, 0, 0]


@pytest.mark.parametrize("wrong", [{"columns": 0}, {"rows": -1}, {"side": 3}, {"columns": 2.5}, {"side": 100_000}])
def test_pages_that_are_none_or_too_large_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        next(contact_sheets([(Image.new("RGB", (9, 9)), "")], **wrong))


def test_captions_stand_below_the_middles_of_their_pictures(drawn_lines: Drawn) -> None:
    picture = Image.new("RGB", (64, 64))
    next(contact_sheets([(picture, "a\nb"), (picture, ""), (picture, "c")], columns=2, side=64))
    assert drawn_lines == [
        ("a", 12 + 32, 12 + 64 + 4 + 9, "#222222", "mm"),
        ("b", 12 + 32, 12 + 64 + 4 + 27, "#222222", "mm"),
        ("c", 12 + 32, 12 + (64 + 12 + 36) + 64 + 4 + 9, "#222222", "mm"),
    ]


def test_captions_are_as_wide_as_their_picture() -> None:
    (page,) = contact_sheets([(Image.new("RGB", (64, 64), "white"), "W" * 99)], side=64)
    inked = np.flatnonzero((np.asarray(page)[12 + 66 :] < 120).any(axis=(0, 2)))
    assert inked.min() >= 12
    assert inked.max() < 12 + 64


def test_pictures_are_framed_and_centred_in_their_squares() -> None:
    (page,) = contact_sheets([(Image.new("RGB", (16, 8), RED), ""), (Image.new("RGB", (8, 16), RED), "")], side=16)
    pixels = np.asarray(page)
    grey = (0xD8, 0xD8, 0xD8)
    for left, right, top, bottom in ((12, 28, 16, 24), (44, 52, 12, 28)):
        assert (pixels[top:bottom, left:right] == RED).all()
    assert (pixels == RED).all(axis=2).sum() == 2 * 16 * 8
    for x in (12, 40):
        frame = pixels[11:29, x - 1 : x + 17]
        assert (frame == grey).all(axis=2).sum() == 4 * 17
        assert (frame[[0, -1]] == grey).all()
        assert (frame[:, [0, -1]] == grey).all()


def test_a_square_is_crossed_out_from_corner_to_corner(drawn_lines: Drawn) -> None:
    (page,) = contact_sheets([(Image.new("RGB", (9, 9), RED), "")] * 2 + [(b"no picture", "")] * 2, side=160)
    x, y = 12 + 2 * 172, 12
    square = np.asarray(page)[y : y + 160, x : x + 160]
    grey, ground = (0xD8, 0xD8, 0xD8), (0xF4, 0xF4, 0xF4)
    assert [(text, *where) for text, *where in drawn_lines[:1]] == [
        ("cannot be read", x + 80, y + 80, "#b3261e", "mm"),
    ]
    for n in (0, 40, 59, 100, 159):
        assert tuple(square[n, n]) == tuple(square[n, 159 - n]) == grey, n
        assert tuple(square[0, n]) == tuple(square[n, 0]) == tuple(square[159, n]) == tuple(square[n, 159]) == grey
    assert tuple(square[80, 80]) == tuple(square[40, 100]) == ground  # behind the words no cross
    assert tuple(np.asarray(page)[y + 80, x + 161]) == (255, 255, 255)
    assert [row for row in range(60, 100) if tuple(square[row, row]) == ground] == list(range(70, 91))


@pytest.mark.parametrize(
    ("name", "least"), [("columns", 1), ("rows", 1), ("side", 16)]
)  # fmt: skip
def test_the_least_page_is_drawn_and_less_is_refused_by_name(name: str, least: int) -> None:
    tile = (Image.new("RGB", (9, 9)), "")
    one_less: dict[str, Any] = {name: least - 1}
    least_page: dict[str, Any] = {name: least}
    assert next(contact_sheets([tile], **least_page))
    with pytest.raises(InputError, match=rf"^{name} is {least - 1}; expected an integer of {least} or more"):
        next(contact_sheets([tile], **one_less))


def test_a_page_of_a_hundred_megapixels_is_the_largest() -> None:
    tile = (Image.new("RGB", (9, 9)), "")
    assert next(contact_sheets([tile], columns=43_554, rows=1, side=16))
    with pytest.raises(InputError, match="43555 by 1 images has 100002280 pixels; expected 100000000 at most"):
        next(contact_sheets([tile], columns=43_555, rows=1, side=16))


def test_pages_are_five_by_six_turned_as_exif_says_and_silent_by_default() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    file = io.BytesIO()
    Image.new("RGB", (40, 10), RED).save(file, "PNG", exif=exif)
    pages = list(contact_sheets([(file.getvalue(), "")] * 29 + [(b"no picture", "")] * 2))
    assert [page.size for page in pages] == [(12 + 5 * 172, 12 + 6 * 172), (12 + 172, 12 + 172)]
    assert (np.asarray(pages[0])[12 + 80, 12:172] == RED).all(axis=1).sum() == 40
