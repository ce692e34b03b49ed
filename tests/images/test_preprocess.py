"""The pixels against those that tools/make_golden_pixels.py recorded from the libraries."""

import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from numpy.typing import NDArray
from PIL import Image

import numpyclip.images.preprocess
from numpyclip.errors import InputError, PictureError
from numpyclip.images.decode_options import DRAFT, DecodeOptions
from numpyclip.images.preprocess import Preprocess, Profile
from tests.picture_files import NOISE, encoded, oriented, state, with_orientation

GOLDEN = Path(__file__).parents[1] / "golden"
HALF = (0.5, 0.5, 0.5)


def read_cases() -> list[tuple[dict[str, Any], bytes]]:
    with np.load(GOLDEN / "pixels.npz") as file:
        cases = json.loads(str(file["cases"]))
        data = io.BytesIO(file["pictures"].tobytes())
    return [(case, data.read(case["bytes"])) for case in cases]


CASES = read_cases()


def build(case: dict[str, Any], data: bytes) -> Image.Image:
    """Make a picture of a case, as the tool did that recorded them."""
    width, height = case["size"]
    across, down = case["repeat"]
    if (across, down) != (1, 1):
        data = np.tile(np.frombuffer(data, np.uint8).reshape(height, width, -1), (down, across, 1)).tobytes()
    image = Image.frombytes(case["mode"], (width * across, height * down), data)
    if "palette" in case:
        image.putpalette(bytes.fromhex(case["palette"]))
    if "transparency" in case:
        value = case["transparency"]
        image.info["transparency"] = (
            bytes.fromhex(value) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value
        )
    return image


@cache
def recorded() -> dict[str, Any]:
    """The libraries' results with the Pillow that is installed.

    Where a later Pillow than 13 resizes otherwise, record it with tools/make_golden_pixels.py and add it here.
    """
    major = int(PIL.__version__.split(".")[0])
    known = 10 if major < 11 else 11 if major < 13 else 13
    golden: dict[str, Any] = json.loads((GOLDEN / f"pixels-pillow{known}.json").read_text("ascii"))
    return golden


def profiles(n: int) -> dict[str, Preprocess]:
    """The transforms of other libraries, with the options under which the tool recorded them."""
    clip = Preprocess(n, "open_clip")
    imagenet = replace(clip, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    theirs = Preprocess(n, "transformers")
    siglip = Preprocess(n, "transformers", mean=HALF, std=HALF, resize_mode="squash")
    return {
        "open_clip": clip,
        "open_clip bilinear": replace(clip, interpolation="bilinear", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        "open_clip squash": replace(clip, resize_mode="squash", mean=HALF, std=HALF),
        "open_clip squash bilinear": replace(imagenet, resize_mode="squash", interpolation="bilinear"),
        "open_clip longest": replace(clip, resize_mode="longest"),
        "open_clip longest filled": replace(clip, resize_mode="longest", interpolation="bilinear", fill=7),
        "open_clip wide": Preprocess((n, n + 9), "open_clip"),
        "open_clip tall longest": Preprocess((2 * n, n), "open_clip", resize_mode="longest", fill=7),
        "open_clip wide squash": Preprocess((n, 2 * n), "open_clip", resize_mode="squash", interpolation="bilinear"),
        "transformers": theirs,
        "transformers larger": Preprocess(n, "transformers", short_side=n + 5, interpolation="bilinear"),
        "transformers smaller": Preprocess(n, "transformers", short_side=n - 3),
        "transformers squash": siglip,
        "transformers squash bilinear": replace(siglip, interpolation="bilinear"),
        "transformers nearest": replace(theirs, interpolation="nearest", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        "transformers lanczos": replace(theirs, interpolation="lanczos", scale=1.0),
        "transformers box": replace(theirs, interpolation="box", scale=1 / 127.5),
        "transformers hamming": replace(theirs, interpolation="hamming", mean=HALF, std=(0.25, 0.25, 0.25)),
        "transformers crop": replace(theirs, resize_mode="crop"),
        "transformers wide crop": replace(theirs, size=(n, n + 9), short_side=n),
        "transformers squash and crop": replace(
            theirs, size=(n, n - 3), resize_mode="squash", short_side=(n + 3, 2 * n)
        ),
    }


def vanishes(image: Image.Image, transform: Preprocess) -> bool:
    """Whether other libraries reduce the shorter side to nothing, which is an error there; here a pixel is left."""
    down, across = transform.sides
    ratio = max(image.height / down, image.width / across)
    return transform.resize_mode == "longest" and min(round(image.width / ratio), round(image.height / ratio)) == 0


def digest(pixels: NDArray[np.float32]) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


# Pixels


@pytest.mark.parametrize(
    "index", range(len(CASES)), ids=["{mode}-{size[0]}x{size[1]}-to-{n}".format(**case) for case, _ in CASES]
)
def test_pixels_equal_the_reference_bit_for_bit_and_what_it_refuses_is_refused(index: int) -> None:
    case, data = CASES[index]
    expected = recorded()["sha256"][index]
    image = build(case, data)
    if expected is None:
        with pytest.raises(PictureError, match=f"^the image: .* mode is {case['mode']} "):
            Preprocess(case["n"])(image)
    else:
        assert digest(Preprocess(case["n"])(image)) == expected


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")  # Pillow's, of the same in transformers
@pytest.mark.parametrize("name", profiles(16))
def test_pixels_equal_those_of_other_libraries_bit_for_bit_and_what_they_refuse_is_refused(name: str) -> None:
    for (case, data), expected in zip(CASES, recorded()["profiles"][name], strict=True):
        image, transform = build(case, data), profiles(case["n"])[name]
        if expected is None:
            if not vanishes(image, transform):
                with pytest.raises(PictureError):
                    transform(image)
        else:
            assert digest(transform(image))[:16] == expected, case


def test_an_image_that_is_neither_resized_nor_cropped_must_have_the_size() -> None:
    transform = Preprocess((16, 20), "transformers", resize_mode="none")
    image = Image.effect_noise((20, 16), 50).convert("RGB")
    np.testing.assert_array_equal(transform.crop(image), np.asarray(image))
    assert transform.view(20, 16) == (0, 0, 20, 16)
    with pytest.raises(PictureError, match=r"is 16 x 20 pixels; expected 20 x 16 px: .* neither resized nor cropped"):
        transform(image.rotate(90, expand=True))


def test_every_option_makes_a_difference_that_the_recorded_pictures_show() -> None:
    golden = recorded()["profiles"]
    assert len({tuple(hashes) for hashes in golden.values()}) == len(golden) == len(profiles(16))
    assert golden["open_clip"] == [whole and whole[:16] for whole in recorded()["sha256"]]


def test_the_offset_of_the_crop_is_rounded_to_even_by_torchvision_and_down_by_transformers() -> None:
    columns = np.broadcast_to(np.arange(19, dtype=np.uint8)[:, np.newaxis], (16, 19, 3))
    offsets: dict[Profile, int] = {"openai": 2, "open_clip": 2, "transformers": 1}
    for profile, first in offsets.items():
        assert Preprocess(16, profile).crop(Image.fromarray(columns))[0, 0, 0] == first


def test_palettes_are_resized_as_they_are_by_openclip_and_as_rgb_by_transformers() -> None:
    image = Image.fromarray(NOISE[..., 0] % 2).convert("P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    as_palette, as_rgb = (
        {tuple(pixel) for pixel in transform.crop(image).reshape(-1, 3).tolist()}
        for transform in (Preprocess(31, "open_clip"), Preprocess(31, "transformers"))
    )
    assert as_palette == {(255, 0, 0), (0, 0, 255)}
    assert len(as_rgb) > 100


def test_what_is_transparent_keeps_its_colour_and_becomes_white_in_transformers() -> None:
    image = Image.new("RGBA", (16, 16), (10, 20, 30, 0))
    assert Preprocess(16, "open_clip").crop(image)[0, 0].tolist() == [10, 20, 30]
    assert Preprocess(16, "transformers").crop(image)[0, 0].tolist() == [255, 255, 255]


def test_a_short_side_below_the_size_leaves_a_black_margin() -> None:
    crop = Preprocess(16, "transformers", short_side=11).crop(Image.new("RGB", (64, 64), "white"))
    assert np.array_equal(np.unique(np.nonzero(crop)[0]), np.arange(3, 14))


def test_lines_that_are_squashed_would_not_fit_in_memory_on_the_way() -> None:
    """Pillow resizes rows first: a picture of one pixel by three million has that many rows of 224 for a while."""
    for transform in Preprocess(224, "open_clip"), Preprocess(224, "transformers"):
        squash = replace(transform, resize_mode="squash")
        with pytest.raises(PictureError, match=r"is 1 x 3000000 pixels; .* Crop it first"):
            squash(Image.new("RGB", (1, 3_000_000)))
        assert squash(Image.new("RGB", (3_000_000, 1))).shape == (3, 224, 224)


@pytest.mark.parametrize("size", [(1, 1000), (1000, 1)])
def test_a_line_that_other_libraries_make_vanish_keeps_a_pixel(size: tuple[int, int]) -> None:
    pixels = Preprocess(224, "open_clip", resize_mode="longest").crop(Image.new("RGB", size, "white"))
    assert pixels.any(axis=-1).sum() == 224


@pytest.mark.parametrize(
    ("transform", "size", "decoded"),
    [
        (Preprocess(64, "open_clip", resize_mode="squash"), (2048, 1024), (256, 128)),
        (Preprocess(64, "open_clip", resize_mode="longest"), (2048, 1024), (256, 128)),
        (Preprocess((16, 64), "open_clip"), (1024, 1024), (128, 128)),
        (Preprocess((64, 16), "open_clip", resize_mode="squash"), (1024, 1024), (128, 128)),
        (Preprocess(64, "transformers", short_side=65), (2048, 1024), (512, 256)),
        (Preprocess(64, "transformers", short_side=32), (2048, 1024), (256, 128)),
    ],
)
def test_a_draft_has_at_least_twice_the_pixels_that_are_needed(
    transform: Preprocess, size: tuple[int, int], decoded: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(Preprocess, "crop", lambda _, image: seen.append(image.size))
    transform.read(encoded(Image.new("RGB", size), "JPEG"), DRAFT)
    assert seen == [decoded]


def test_all_256_values_of_all_channels_are_normalized_as_by_the_reference() -> None:
    image = build(*CASES[0])
    assert {tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3)} == {(v, v, v) for v in range(256)}
    with np.load(GOLDEN / "pixels.npz") as file:
        assert Preprocess(16)(image).tobytes() == file["normalized"].tobytes()


@pytest.mark.parametrize("size", [(24, 16), (16, 24), (224, 224), (1, 1)])
def test_pixels_are_contiguous_float32_of_the_models_shape(size: tuple[int, int]) -> None:
    pixels = Preprocess(224)(Image.new("RGB", size))
    assert pixels.dtype == np.float32
    assert pixels.shape == (3, 224, 224)
    assert pixels.flags.c_contiguous


def test_preprocess_ignores_exif_as_the_reference_does() -> None:
    plain, turned = (Preprocess(16)(with_orientation(value)) for value in (1, 6))
    assert plain.tobytes() == turned.tobytes()


@pytest.mark.parametrize("size", [16, 31])
@pytest.mark.parametrize("name", ["P", "RGBA", "turned"])
def test_preprocess_does_not_change_the_picture(name: str, size: int) -> None:
    image = with_orientation(6) if name == "turned" else Image.fromarray(NOISE[:16, :16]).convert(name)
    if name == "P":
        image.info["transparency"] = bytes(range(200))
    before = state(image)
    Preprocess(size)(image)
    assert state(image) == before


def test_preprocess_may_run_in_many_threads_on_one_picture() -> None:
    image, preprocess = Image.fromarray(np.tile(NOISE, (9, 7, 1))), Preprocess(64)
    with ThreadPoolExecutor(8) as pool:
        assert len({pixels.tobytes() for pixels in pool.map(preprocess, [image] * 64)}) == 1


@pytest.mark.parametrize("wrong", ["photo.jpg", b"", NOISE, None])
def test_preprocess_refuses_what_is_no_picture_of_pillows(wrong: Any) -> None:
    with pytest.raises(InputError, match=f"not {type(wrong).__name__}; use PIL"):
        Preprocess(16)(wrong)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_preprocess_refuses_pictures_without_pixels(size: tuple[int, int]) -> None:
    with pytest.raises(PictureError, match=f"^the image: is {size[0]} x {size[1]} pixels"):
        Preprocess(16)(Image.new("RGB", size))


@pytest.mark.parametrize(("mode", "length"), [("RGB", 10_700), ("L", 42_800), ("I;16", 10_700)])
def test_preprocess_refuses_lines_that_would_not_fit_in_memory(mode: str, length: int) -> None:
    for size in (1, length), (length, 1):
        with pytest.raises(PictureError, match=f"is {size[0]} x {size[1]} pixels; .* Crop it first"):
            Preprocess(224)(Image.new(mode, size))


def test_preprocess_names_a_lazy_picture_that_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(oriented("PNG", 1)[:-200])
    with Image.open(path) as image, pytest.raises(PictureError) as caught:
        Preprocess(16)(image)
    assert str(caught.value).startswith(f"{path}: ")


def test_preprocess_is_silent_about_transparency_that_is_dropped() -> None:
    image = Image.fromarray(NOISE).convert("P")
    image.info["transparency"] = bytes(range(200))
    Preprocess(16)(image)  # Pillow's warning would be an error here


@pytest.mark.parametrize(
    ("how", "size", "expected"),
    [
        ({}, (200, 100), (50, 0, 150, 100)),
        ({}, (100, 100), (0, 0, 100, 100)),
        ({"resize_mode": "squash"}, (200, 100), (0, 0, 200, 100)),
        ({"resize_mode": "longest"}, (200, 100), (0, -48, 200, 152)),  # 12 and 13 of 25 lines
        ({"resize_mode": "patches", "patch_size": 10}, (200, 100), (0, 0, 200, 100)),
        ({"resize_mode": "squash", "short_side": 100}, (200, 80), (50, 20, 150, 60)),
        ({"short_side": 100}, (100, 100), (25, 25, 75, 75)),
        ({"size": (50, 100)}, (100, 100), (0, 25, 100, 75)),
        ({"size": (50, 100)}, (400, 100), (100, 0, 300, 100)),
        ({"size": (100, 50), "resize_mode": "longest"}, (100, 100), (0, -50, 100, 150)),
        ({"size": (50, 100), "resize_mode": "squash"}, (60, 80), (0, 0, 60, 80)),
        ({"short_side": 25}, (100, 100), (-48, -48, 152, 152)),
    ],
)
def test_the_view_is_what_the_crop_shows_in_pixels_of_the_picture(
    how: dict[str, Any], size: tuple[int, int], expected: tuple[float, ...]
) -> None:
    assert Preprocess(**{"size": 50, **how}).view(*size) == pytest.approx(expected)


def test_both_forms_that_a_model_takes_are_the_same_pixels() -> None:
    image = Image.fromarray(NOISE)
    preprocess = Preprocess(16, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    crop = preprocess.crop(image)
    pixels = preprocess.as_pixels(crop[np.newaxis])
    assert pixels.shape == (1, 3, 16, 16)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels[0, 1], crop[..., 1])
    normalized = preprocess(image)
    again = preprocess.as_pixels(normalized[np.newaxis])
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, pixels, atol=1e-4)
    np.testing.assert_array_equal(normalized, preprocess(image))  # which are not changed


@pytest.mark.parametrize(
    ("patch_size", "sides", "taken"),
    [
        (None, (16, 16), True),
        (None, (16, 8), False),
        (None, (8, 16), False),
        (None, (32, 32), False),
        (4, (4, 64), True),
        (4, (64, 4), True),
        (4, (6, 4), False),
        (4, (4, 6), False),
        (4, (0, 4), False),
        (4, (4, 0), False),
    ],
)
def test_sides_that_results_have_are_taken(patch_size: int | None, sides: tuple[int, int], taken: bool) -> None:
    preprocess = Preprocess(16, resize_mode="patches" if patch_size else "shortest", patch_size=patch_size)
    assert preprocess.takes(*sides) is taken


@pytest.mark.parametrize(("mode", "bytes_each"), [("L", 1), ("P", 1), ("1", 1), ("RGB", 4), ("I;16", 4)])
def test_what_fits_to_the_byte_is_resized(monkeypatch: pytest.MonkeyPatch, mode: str, bytes_each: int) -> None:
    """A picture of 20 by 40 has for a while 40 rows of 10, or 20 of them."""
    try:
        Image.new(mode, (2, 2)).resize((1, 1), Image.Resampling.BICUBIC)
    except ValueError:
        pytest.skip("this version of Pillow cannot resize it")
    for size, rows in ((20, 40), 40), ((40, 20), 20), ((10, 4), 10):
        preprocess = Preprocess(10)
        across = round(10 * size[0] / min(size))
        needed = across * max(rows, round(10 * size[1] / min(size))) * bytes_each
        monkeypatch.setattr("numpyclip.images.preprocess._MAX_BYTES", needed)
        assert preprocess.crop(Image.new(mode, size)).shape == (10, 10, 3)
        monkeypatch.setattr("numpyclip.images.preprocess._MAX_BYTES", needed - 1)
        with pytest.raises(PictureError, match=f"it would take {needed} bytes resized to {across} x "):
            preprocess.crop(Image.new(mode, size))


def test_pictures_of_half_a_gigabyte_of_pixels_are_the_largest() -> None:
    assert numpyclip.images.preprocess._MAX_BYTES == 2**31


def test_patches_are_as_many_as_are_allowed_and_one_at_least() -> None:
    preprocess = Preprocess(16, "transformers", resize_mode="patches", patch_size=4)
    shapes = {size: preprocess.crop(Image.new("RGB", size)).shape[1::-1] for size in ((16, 16), (160, 10), (1, 900))}
    assert shapes == {(16, 16): (16, 16), (160, 10): (64, 4), (1, 900): (4, 64)}
    assert preprocess.view(160, 10) == (0, 0, 160, 10)
    assert preprocess(Image.new("RGB", (160, 10))).shape == (3, 4, 64)


def test_padding_is_shared_by_both_sides_and_the_odd_line_is_last() -> None:
    preprocess = Preprocess(16, "open_clip", resize_mode="longest", fill=9)
    for size, axis in ((16, 5), 0), ((5, 16), 1):
        crop = preprocess.crop(Image.new("RGB", size, "white"))
        filled = np.flatnonzero((crop == 9).all(axis=(1 - axis, 2)))
        assert filled.tolist() == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15]
    grey = preprocess.crop(Image.new("L", (16, 5), 255))
    assert (grey[0] == 9).all()
    whole = Image.new("RGB", (16, 16), "white")
    assert (preprocess.crop(whole) == 255).all()


def test_a_draft_is_a_draft_only_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(Preprocess, "crop", lambda _, image: seen.append(image.size))
    data = encoded(Image.new("RGB", (2048, 1024)), "JPEG")
    for draft in (False, True):
        Preprocess(64).read(data, DecodeOptions(draft=draft))
    assert seen == [(2048, 1024), (256, 128)]
    turned = oriented("PNG", 6)
    seen.clear()
    for orient in (False, True):
        Preprocess(64).read(turned, DecodeOptions(orient=orient))
    assert seen[0] == seen[1][::-1] != seen[1]


def test_an_error_names_the_picture_as_it_was_called() -> None:
    with pytest.raises(PictureError, match=r"^cat of the zip: "):
        Preprocess(64).read(b"no picture", DRAFT, name="cat of the zip")
