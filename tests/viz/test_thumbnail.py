import pytest
from PIL import Image

from numpyclip.viz.thumbnail import thumbnail

BLUE = (0, 0, 255)


@pytest.mark.parametrize("size", [(1, 1), (5000, 20), (2, 3000)])
def test_thumbnails_of_any_shape_fit_and_have_a_pixel_at_least(size: tuple[int, int]) -> None:
    small = thumbnail(Image.new("RGB", size, BLUE), 160)
    assert max(small.size) == 160
    assert min(small.size) >= 1
    assert small.getpixel((0, 0)) == BLUE


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_thumbnails_of_every_mode_are_rgb(mode: str) -> None:
    assert thumbnail(Image.new(mode, (30, 20)), 16).mode == "RGB"


def test_what_is_transparent_is_white() -> None:
    assert thumbnail(Image.new("RGBA", (30, 20), (9, 9, 9, 0)), 16).getpixel((3, 3)) == (255, 255, 255)
