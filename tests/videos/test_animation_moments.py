"""Moments of animated images."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import PictureError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.videos.animation_moments import read_moments
from tests.videos.made_videos import BLUE, GREEN, RED, plain


def animation(form: str, *colours: tuple[int, int, int], duration: int = 1000, **options: Any) -> bytes:
    first, *others = (Image.fromarray(plain(colour)) for colour in colours)
    file = io.BytesIO()
    first.save(file, form, save_all=True, append_images=others, duration=duration, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "AVIF"])
def test_moments_are_where_the_picture_changes(form: str, tiny: CLIP) -> None:
    if form == "AVIF" and not (features.check("avif") if "avif" in features.modules else False):
        pytest.skip("this Pillow has no AVIF")
    data = animation(form, RED, GREEN, GREEN, BLUE)
    found = read_moments(tiny.preprocess, data, DecodeOptions(), "a")
    assert list(found) == [0, 1, 3]
    for pixels, colour in zip(found.values(), (RED, GREEN, BLUE), strict=True):
        np.testing.assert_allclose(pixels.reshape(-1, 3).mean(0), colour, atol=12)


def test_what_does_not_move_has_none(tiny: CLIP) -> None:
    file = io.BytesIO()
    Image.fromarray(plain(RED)).save(file, "PNG")
    for data in (file.getvalue(), animation("GIF", RED, (221, 20, 20)), animation("TIFF", RED, BLUE)):
        assert read_moments(tiny.preprocess, data, DecodeOptions(), "a") == {}


def test_of_a_damaged_one_the_moments_before_are_taken(tiny: CLIP) -> None:
    data = animation("GIF", RED, GREEN, BLUE)
    assert list(read_moments(tiny.preprocess, data[: data.rindex(b"\x21\xf9") + 30], DecodeOptions(), "a")) == [0, 1]
    with pytest.raises(PictureError, match="a: cannot be read"):
        read_moments(tiny.preprocess, b"GIF89a", DecodeOptions(), "a")
