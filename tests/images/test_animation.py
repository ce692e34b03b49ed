import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from numpyclip.errors import PictureError
from numpyclip.images.animation import frame_shown_at, iter_frames
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.open import open_picture

COLORS = ("red", "lime", "blue", "white")


def animated(form: str, size: tuple[int, int] = (24, 16), colors: tuple[str, ...] = COLORS, **options: Any) -> bytes:
    first, *others = (Image.new("RGB", size, color) for color in colors)
    file = io.BytesIO()
    first.save(file, form, save_all=True, append_images=others, **{"duration": 250, **options})
    return file.getvalue()


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "AVIF"])
def test_frames_come_one_after_another_with_their_times(form: str) -> None:
    Image.init()
    if form not in Image.SAVE_ALL:
        pytest.skip(f"this version of Pillow writes no animated {form}")
    frames = list(iter_frames(animated(form)))
    assert [frame.seconds for frame in frames] == [0, 0.25, 0.5, 0.75]
    pixels: list[Any] = [frame.image.convert("RGB").getpixel((5, 5)) for frame in frames]
    assert [max(range(3), key=pixel.__getitem__) for pixel in pixels[:3]] == [0, 1, 2]
    assert min(pixels[3]) > 240
    assert frames[0].image.tobytes() == open_picture(animated(form)).tobytes()


def test_frames_are_decoded_when_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(animated("GIF")[:-30])
    frames = iter_frames(path)
    assert next(frames).seconds == 0
    with pytest.raises(PictureError, match=r"a\.gif: cannot be read as an image"):
        list(frames)
    assert len(list(iter_frames(animated("GIF"), most=2))) == 2
    frames = iter_frames(path)
    next(frames)
    frames.close()  # type: ignore[attr-defined]


def test_frames_without_a_time_are_shown_as_long_as_browsers_show_them() -> None:
    assert [frame.seconds for frame in iter_frames(animated("GIF", duration=0))] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_frame_is_shown_from_its_time_in_milliseconds_on() -> None:
    data = animated("GIF", duration=100)
    assert [frame.seconds for frame in iter_frames(data)][3] > 0.3
    shown: Any = frame_shown_at(data, 0.3, DecodeOptions()).convert("RGB").getpixel((5, 5))
    assert min(shown) > 240


def test_a_frame_before_a_damaged_one_is_shown() -> None:
    data = animated("GIF")[:-30]
    with pytest.raises(PictureError):
        list(iter_frames(data))
    shown: Any = frame_shown_at(data, 0.5, DecodeOptions()).convert("RGB").getpixel((5, 5))
    assert max(range(3), key=shown.__getitem__) == 2
    with pytest.raises(PictureError):
        frame_shown_at(data[:20], 0.5, DecodeOptions())


def test_the_picture_that_stands_outside_of_an_animation_is_no_frame() -> None:
    data = animated("PNG", default_image=True)
    assert Image.open(io.BytesIO(data)).n_frames == 4  # type: ignore[attr-defined]
    assert [frame.seconds for frame in iter_frames(data)] == [0, 0.25, 0.5]


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "MPO", "BMP", "PNG", "GIF"])
def test_other_files_have_one_frame(form: str) -> None:
    several = (
        {"save_all": True, "append_images": [Image.new("RGB", (24, 16), "blue")]} if form in ("TIFF", "MPO") else {}
    )
    file = io.BytesIO()
    Image.new("RGB", (24, 16), "red").save(file, form, **several)
    [(seconds, image)] = iter_frames(file.getvalue())
    assert (seconds, image.size) == (0, (24, 16))


def test_the_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = animated("WEBP", exif=exif)
    assert {frame.image.size for frame in iter_frames(data)} == {(16, 24)}
    assert {frame.image.size for frame in iter_frames(data, DecodeOptions(orient=False))} == {(24, 16)}


def test_limits_hold() -> None:
    for options, said in (
        (DecodeOptions(max_pixels=100), "has 24 x 16 pixels"),
        (DecodeOptions(max_memory=9), "needs"),
    ):
        with pytest.raises(PictureError, match=rf"^a\.gif: {said}"):
            next(iter_frames(animated("GIF"), options, name="a.gif"))
    with pytest.raises(PictureError, match="cannot be read as an image"):
        next(iter_frames("missing.gif"))
