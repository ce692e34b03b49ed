from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.errors import PictureError
from numpyclip.viz.thumbnail import read_thumbnail, thumbnail
from tests.videos.made_videos import BLUE as BLUE_SCENE
from tests.videos.made_videos import RED, scenes, write_video

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


def test_a_video_is_shown_at_a_moment(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
    path = write_video(tmp_path / "clip.mp4", scenes((3, RED), (3, BLUE_SCENE)))
    for seconds, is_first in ((None, True), (1.0, True), (4.5, False)):
        red, _, blue = np.asarray(read_thumbnail(path, 30, seconds=seconds))[10, 15]
        assert (red > blue) == is_first
    with pytest.raises(PictureError, match=r"none.mp4: cannot be read as a video"):
        read_thumbnail(str(tmp_path / "none.mp4"), 30)
