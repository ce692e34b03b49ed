"""Frames as a player shows them."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.videos.frames import frame_at
from tests.videos.made_videos import GREEN, RED, WHITE, plain, write_video

LEFT = np.concatenate([plain(RED, 48), plain(WHITE, 48)], axis=1)  # red is on the left
FULL = 65536


def corners(image: Image.Image) -> list[bool]:
    """Whether the middle of the left, upper, right and lower side is red."""
    width, height = image.size
    places = ((2, height // 2), (width // 2, 2), (width - 3, height // 2), (width // 2, height - 3))
    return [np.abs(np.array(image.getpixel(place)) - RED).max() < 40 for place in places]


@pytest.mark.parametrize(
    ("matrix", "size", "side"),
    [
        ([FULL, 0, 0, 0, FULL, 0, 0, 0, 1 << 30], (96, 64), 0),
        ([0, FULL, 0, -FULL, 0, 0, 0, 0, 1 << 30], (64, 96), 1),  # a quarter clockwise: left is up
        ([-FULL, 0, 0, 0, -FULL, 0, 0, 0, 1 << 30], (96, 64), 2),
        ([0, -FULL, 0, FULL, 0, 0, 0, 0, 1 << 30], (64, 96), 3),
    ],
)
def test_the_rotation_is_applied(tmp_path: Path, matrix: list[int], size: tuple[int, int], side: int) -> None:
    path = write_video(tmp_path / "a.mp4", [(0, LEFT)], set_up=lambda stream: stream.set_display_matrix(matrix))
    image = frame_at(path, 0, 64)
    assert image.size == size
    red = corners(image)
    assert red[side]
    assert not red[(side + 2) % 4]


def test_pixels_become_square_and_frames_small(tmp_path: Path) -> None:
    def set_up(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)

    wide = write_video(tmp_path / "a.mkv", [(0, LEFT)], set_up=set_up)
    assert frame_at(wide, 0, 1000).size == (192, 64)
    assert frame_at(wide, 0, 32).size == (96, 32)


def test_ten_bits_are_as_eight(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", [(0, plain(GREEN))], codec="libx264", pix_fmt="yuv420p10le")
    np.testing.assert_allclose(np.asarray(frame_at(path, 0, 64))[5, 5], GREEN, atol=8)


@pytest.mark.parametrize(("transfer", "signal"), [(16, 0.58), (18, 0.75)])  # diffuse white, by ITU-R BT.2408
def test_high_dynamic_range_is_made_standard(tmp_path: Path, transfer: int, signal: float) -> None:
    def set_up(stream: Any) -> None:
        codec = stream.codec_context
        codec.color_trc, codec.color_primaries, codec.colorspace = transfer, 9, 9

    levels = np.array([0.0, 0.5 * signal, signal, 1.0])
    pixels = np.repeat(np.repeat(levels, 24)[np.newaxis, :, np.newaxis], 64, axis=0).repeat(3, axis=2)
    path = write_video(
        tmp_path / "a.mkv", [(0, (pixels * 65535).astype(np.uint16))], pix_fmt="yuv420p10le", set_up=set_up
    )
    image = frame_at(path, 0, 64)
    black, grey, white, peak = (np.array(image.getpixel((24 * n + 12, 30))) for n in range(4))
    assert black.max() < 12
    assert 30 < grey.mean() < 160
    assert 215 < white.mean() < 250
    assert white.mean() < peak.mean() <= 255
    assert all(np.ptp(each) < 8 for each in (black, grey, white, peak))  # grey stays grey
