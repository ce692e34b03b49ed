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
