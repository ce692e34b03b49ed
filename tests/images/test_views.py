"""The views of an image: geometry by hand, pixels against the preprocessing that they stand for."""

import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL
import pytest
from PIL import Image

from numpyclip.errors import InputError, PictureError
from numpyclip.images.decode_options import DRAFT
from numpyclip.images.formats import identify
from numpyclip.images.preprocess import Preprocess
from numpyclip.images.views import VIEWS, PictureView, checked_views, read_views, views_of
from tests.picture_files import oriented

CLIP = Preprocess(32)
SIGLIP = Preprocess(32, "transformers", resize_mode="squash")
PADDED = Preprocess(32, "open_clip", resize_mode="longest")
NAFLEX = Preprocess(64, "transformers", resize_mode="patches", patch_size=16)
WIDE = Preprocess((16, 32), "open_clip")
MARGIN = Preprocess(28, "open_clip", short_side=32)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def names(preprocess: Preprocess, width: int, height: int, *views: Any) -> list[str]:
    return [view.name for view in views_of(preprocess, views or VIEWS, width, height)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((100, 100), ["crop"]),
        ((130, 100), ["crop", "pad", "squash"]),
        ((131, 100), ["crop", "pad", "squash", "left", "right"]),
        ((300, 100), ["crop", "pad", "squash", "left", "right"]),
        ((100, 131), ["crop", "pad", "squash", "top", "bottom"]),
        ((301, 100), ["crop", "pad", "squash", "left", "left-2", "right-2", "right"]),
        ((100, 500), ["crop", "pad", "squash", "top", "top-2", "bottom-2", "bottom"]),
    ],
)
def test_an_image_has_the_views_that_its_shape_asks_for(size: tuple[int, int], expected: list[str]) -> None:
    assert names(CLIP, *size) == expected


def test_the_tiles_of_a_panorama_cover_it_up_to_nine_and_are_spread_beyond() -> None:
    for width in range(131, 2000, 37):
        views = views_of(CLIP, ("tiles",), width, 100)
        spans = sorted((view.seen(width, 100)[0], view.seen(width, 100)[2]) for view in views)
        assert len(views) == min(9, -(-width // 100) | 1)
        assert spans[0][0] == 0 and spans[-1][1] == width
        gaps = [after[0] - before[1] for before, after in pairwise(spans)]
        assert width > 900 or max(gaps) <= 0.5, width  # the crop is in pixels of the resized image
        assert len({view.name for view in views}) == len(views)
    assert names(CLIP, 100_000, 1, "tiles")[0] == "crop"


@pytest.mark.parametrize(
    ("preprocess", "size", "expected"),
    [
        (SIGLIP, (200, 100), ["crop", "pad", "left", "middle", "right"]),
        (SIGLIP, (100, 100), ["crop"]),
        (PADDED, (200, 100), ["crop", "squash", "left", "middle", "right"]),
        (NAFLEX, (200, 100), ["crop", "left", "middle", "right"]),
        (NAFLEX, (120, 100), ["crop"]),
        (WIDE, (200, 100), ["crop"]),
        (WIDE, (100, 100), ["crop", "pad", "squash", "top", "bottom"]),
        (MARGIN, (100, 100), ["crop", "pad", "squash"]),
    ],
)
def test_what_is_the_same_for_a_model_is_one_view(
    preprocess: Preprocess, size: tuple[int, int], expected: list[str]
) -> None:
    assert names(preprocess, *size) == expected


@pytest.mark.parametrize("size", [(0, 0), (0, 9), (9, 0)])
def test_what_has_no_known_size_has_no_tiles(size: tuple[int, int]) -> None:
    assert "left" not in names(CLIP, *size) and "top" not in names(CLIP, *size)


def test_tiles_are_those_of_the_image_as_it_is_shown() -> None:
    assert list(read_views(CLIP, ("tiles",), oriented("JPEG", 1))) == ["crop", "left", "right"]
    assert list(read_views(CLIP, ("tiles",), oriented("JPEG", 6))) == ["crop", "top", "bottom"]


def test_a_view_that_the_model_has_anyway_is_its_crop() -> None:
    assert views_of(SIGLIP, ("squash",), 200, 100) == [PictureView("crop", SIGLIP)]
    assert views_of(NAFLEX, ("pad", "squash"), 200, 100) == [PictureView("crop", NAFLEX)]
    assert views_of(CLIP, ("tiles",), 110, 100) == [PictureView("crop", CLIP)]


def pixels(preprocess: Preprocess, image: Image.Image, *views: Any) -> dict[str, Any]:
    return {view.name: view.crop(image) for view in views_of(preprocess, views or VIEWS, *image.size)}


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "LA", "RGBA", "1", "CMYK", "I;16"])
def test_pixels_are_those_of_the_preprocessing_that_a_view_stands_for(mode: str) -> None:
    image = noise(100, 60).convert("RGB" if mode == "I;16" else mode)
    if mode == "I;16":
        if PIL.__version__ < "11":
            pytest.skip("Pillow cannot resize it")
        image = Image.fromarray(np.arange(6000, dtype=np.uint16).reshape(60, 100))
    found = pixels(CLIP, image)
    np.testing.assert_array_equal(found["crop"], CLIP.crop(image))
    np.testing.assert_array_equal(found["pad"], replace(CLIP, resize_mode="longest").crop(image))
    np.testing.assert_array_equal(found["squash"], replace(CLIP, resize_mode="squash").crop(image))
    np.testing.assert_array_equal(found["left"], CLIP.crop(image.crop((0, 0, 60, 60))))
    np.testing.assert_array_equal(found["right"], CLIP.crop(image.crop((40, 0, 100, 60))))
    assert list(found) == ["crop", "pad", "squash", "left", "right"]


def test_a_tile_is_seen_as_an_image_of_its_own() -> None:
    image = noise(64, 200)
    for preprocess in (SIGLIP, PADDED, NAFLEX, CLIP):
        found = pixels(preprocess, image, "tiles")
        np.testing.assert_array_equal(found["bottom"], preprocess.crop(image.crop((0, 136, 64, 200))))
    margin = pixels(MARGIN, image, "tiles")["bottom"]  # all of it, which the crop would cut margins off
    np.testing.assert_array_equal(margin, Preprocess(28, "open_clip").crop(image.crop((0, 136, 64, 200))))


def test_what_a_view_shows_is_told_in_pixels_of_the_image() -> None:
    seen = {view.name: view.seen(300, 100) for view in views_of(CLIP, VIEWS, 300, 100)}
    assert seen["left"] == (0, 0, 100, 100)
    assert seen["right"] == (200, 0, 300, 100)
    assert seen["squash"] == (0, 0, 300, 100)
    assert seen["crop"] == pytest.approx((100, 0, 200, 100), abs=2)
    left, top, right, bottom = seen["pad"]
    assert (left, right) == pytest.approx((0, 300), abs=10)
    assert top < -90 and bottom > 190


def test_a_draft_has_the_views_of_the_whole_image(tmp_path: Path) -> None:
    noise(64 * 16, 64 * 8).save(tmp_path / "wide.jpg")
    drafted = read_views(CLIP, VIEWS, tmp_path / "wide.jpg", DRAFT)
    assert list(drafted) == names(CLIP, 1024, 512)
    assert {array.shape for array in drafted.values()} == {(32, 32, 3)}


def test_an_image_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    noise(90, 30).save(file, "PNG")
    opened: list[object] = []

    def counted(file: IO[bytes]) -> Image.Image:
        opened.append(file)
        return identify(file)

    monkeypatch.setattr("numpyclip.images.open.identify", counted)
    assert len(read_views(CLIP, VIEWS, file.getvalue())) == 5
    assert len(opened) == 1


@pytest.mark.parametrize("views", [(), "tile", ["crop", "tile"], None, 3, [["crop"]]])
def test_views_are_some_of_four(views: Any) -> None:
    with pytest.raises(InputError, match=r"views is .*; expected one or more of 'crop', 'pad', 'squash', 'tiles'\."):
        checked_views(views)


def test_views_are_in_one_order_each_once() -> None:
    assert checked_views(["tiles", "crop", "tiles"]) == ("crop", "tiles")
    assert checked_views("pad") == ("pad",)


def test_a_line_of_pixels_is_padded_and_errors_name_the_file(tmp_path: Path) -> None:
    line = noise(500, 1)
    assert pixels(CLIP, line, "pad")["pad"].shape == (32, 32, 3)
    line.save(tmp_path / "line.png")
    with pytest.raises(PictureError, match=r"none\.png: "):
        read_views(CLIP, VIEWS, tmp_path / "none.png")
