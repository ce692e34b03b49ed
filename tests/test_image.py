"""The pixels against those that tools/make_golden_pixels.py recorded from the libraries; what opens, what does not."""

import gc
import hashlib
import io
import json
import warnings
from collections.abc import Callable, Iterator
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

from numpyclip.errors import InputError, PictureError
from numpyclip.image import Preprocess, Profile, open_picture, pictures, preprocess

GOLDEN = Path(__file__).parent / "golden"
ORIENTATION = 0x0112
HALF = (0.5, 0.5, 0.5)
NOISE = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)  # (y, x, 3)
# What the eight orientations ask to do with the stored (y, x, 3).
TURNS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {},
    "PNG": {},
    "GIF": {},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
    "MPO": {"save_all": True, "append_images": [Image.fromarray(NOISE[::-1])]},
    "BMP": {},
    "PPM": {},
    "TGA": {},
}


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
    siglip = Preprocess(n, "transformers", mean=HALF, std=HALF, resize_mode="squash")
    return {
        "open_clip": clip,
        "open_clip bilinear": replace(clip, interpolation="bilinear", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        "open_clip squash": replace(clip, resize_mode="squash", mean=HALF, std=HALF),
        "open_clip squash bilinear": replace(imagenet, resize_mode="squash", interpolation="bilinear"),
        "open_clip longest": replace(clip, resize_mode="longest"),
        "open_clip longest filled": replace(clip, resize_mode="longest", interpolation="bilinear", fill=7),
        "transformers": Preprocess(n, "transformers"),
        "transformers larger": Preprocess(n, "transformers", short_side=n + 5, interpolation="bilinear"),
        "transformers smaller": Preprocess(n, "transformers", short_side=n - 3),
        "transformers squash": siglip,
        "transformers squash bilinear": replace(siglip, interpolation="bilinear"),
    }


def digest(pixels: NDArray[np.float32]) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **FORMATS.get(form, {}), **options)
    return file.getvalue()


def oriented(form: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(Image.fromarray(NOISE), form, exif=exif)


def with_orientation(orientation: int) -> Image.Image:
    return Image.open(io.BytesIO(oriented("PNG", orientation)))


def state(image: Image.Image) -> tuple[Any, ...]:
    return image.size, image.mode, dict(image.info), image.tobytes(), image.getpalette()


def opens(data: bytes) -> bool:
    """Tell whether it opens; any other error than `PictureError` goes through."""
    try:
        open_picture(data).tobytes()
    except PictureError:
        return False
    return True


# Pixels


@pytest.mark.parametrize(
    "index", range(len(CASES)), ids=["{mode}-{size[0]}x{size[1]}-to-{n}".format(**case) for case, _ in CASES]
)
def test_pixels_equal_the_reference_bit_for_bit_and_what_it_refuses_is_refused(index: int) -> None:
    case, data = CASES[index]
    expected = recorded()["sha256"][index]
    image = build(case, data)
    if expected is None:
        with pytest.raises(PictureError, match=f"^the picture: .* mode is {case['mode']} "):
            Preprocess(case["n"])(image)
    else:
        assert digest(Preprocess(case["n"])(image)) == expected


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")  # Pillow's, of the same in transformers
@pytest.mark.parametrize("name", profiles(16))
def test_pixels_equal_those_of_other_libraries_bit_for_bit_and_what_they_refuse_is_refused(name: str) -> None:
    for (case, data), expected in zip(CASES, recorded()["profiles"][name], strict=True):
        image, transform = build(case, data), profiles(case["n"])[name]
        if expected is None:
            with pytest.raises(PictureError):
                transform(image)
        else:
            assert digest(transform(image))[:16] == expected, case


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


def test_a_line_that_would_vanish_is_refused() -> None:
    with pytest.raises(PictureError, match="cannot be preprocessed"):
        Preprocess(224, "open_clip", resize_mode="longest")(Image.new("RGB", (1, 1000)))


@pytest.mark.parametrize(
    ("transform", "size", "decoded"),
    [
        (Preprocess(64, "open_clip", resize_mode="squash"), (2048, 1024), (256, 128)),
        (Preprocess(64, "open_clip", resize_mode="longest"), (2048, 1024), (256, 128)),
        (Preprocess(64, "transformers", short_side=65), (2048, 1024), (512, 256)),
        (Preprocess(64, "transformers", short_side=32), (2048, 1024), (256, 128)),
    ],
)
def test_a_draft_has_at_least_twice_the_pixels_that_are_needed(
    transform: Preprocess, size: tuple[int, int], decoded: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(Preprocess, "crop", lambda _, image: seen.append(image.size))
    transform.read(encoded(Image.new("RGB", size), "JPEG"), orient=True, draft=True)
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
    with pytest.raises(PictureError, match=f"^the picture: is {size[0]} x {size[1]} pixels"):
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


# What opens


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "MPO"])
def test_open_picture_honours_the_orientation(form: str, orientation: int) -> None:
    stored = np.asarray(open_picture(oriented(form, 1)))
    image = open_picture(oriented(form, orientation))
    assert np.array_equal(np.asarray(image), TURNS[orientation](stored))
    assert np.array_equal(np.asarray(open_picture(image)), np.asarray(image)), "turned twice"


def test_open_picture_leaves_the_orientation_alone_if_told_so() -> None:
    assert np.array_equal(np.asarray(open_picture(oriented("PNG", 6), orient=False)), NOISE)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_unknown_orientations_are_no_turn(orientation: int) -> None:
    assert np.array_equal(np.asarray(open_picture(oriented("PNG", orientation))), NOISE)


def test_an_orientation_in_xmp_counts_once() -> None:
    image = Image.fromarray(NOISE)
    image.info["XML:com.adobe.xmp"] = '<rdf:Description tiff:Orientation="6"/>'
    turned = open_picture(image)
    assert np.array_equal(np.asarray(turned), TURNS[6](NOISE))
    assert open_picture(turned) is turned


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("cut", [0, 1, 6, 8, 12, 14, 15, 17, 20, 25])
def test_damaged_exif_does_not_refuse_the_picture(form: str, cut: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    for damaged in exif.tobytes()[:cut], b"Exif\0\0" + b"\xff" * cut, exif.tobytes()[:cut] + b"\xff" * 9:
        image = open_picture(encoded(Image.fromarray(NOISE), form, exif=damaged))
        assert sorted(image.size) == [16, 24]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_counts(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
    assert np.asarray(open_picture(data).convert("RGB"))[0, 0].tolist() == [255, 0, 0]
    assert np.array_equal(Preprocess(8)(open_picture(data)), Preprocess(8)(frames[0]))


@pytest.mark.parametrize("form", FORMATS)
def test_paths_and_bytes_give_the_pixels_of_the_picture(form: str, tmp_path: Path) -> None:
    data = encoded(Image.fromarray(NOISE), form)
    path = tmp_path / f"größe 猫.{form.lower()}"
    path.write_bytes(data)
    with Image.open(io.BytesIO(data)) as image:
        expected = Preprocess(31)(image).tobytes()
    for source in path, str(path), data, bytearray(data), memoryview(data):
        assert Preprocess(31)(open_picture(source)).tobytes() == expected


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4), (1, 1), (3, 3, 3)])
def test_arrays_are_pictures(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    for view in array, array[::-1, ::-1], np.asfortranarray(array):
        assert np.array_equal(np.asarray(open_picture(view)), view)


def test_a_picture_that_needs_no_turn_is_given_back_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(oriented("PNG", 1))
    with Image.open(path) as lazy:
        assert open_picture(lazy) is lazy
    assert np.array_equal(np.asarray(lazy), NOISE)
    loaded = Image.fromarray(NOISE)
    assert open_picture(loaded) is loaded


def test_a_picture_that_needs_a_turn_is_not_changed() -> None:
    with with_orientation(6) as image:
        before = state(image)
        assert open_picture(image).size == (16, 24)
        assert state(image) == before


# Single and many


@pytest.mark.parametrize(
    "single",
    ["a.jpg", Path("a.jpg"), b"abc", bytearray(b"abc"), memoryview(b"abc"), Image.new("L", (1, 1)), NOISE, NOISE[0]],
    ids=lambda value: type(value).__name__,
)
def test_a_single_picture_is_a_list_of_one(single: Any) -> None:
    (item,) = pictures(single)
    assert item is single


def test_many_pictures_are_given_one_by_one() -> None:
    assert list(pictures(["a.jpg", b"abc"])) == ["a.jpg", b"abc"]
    assert list(pictures(np.array(["a.jpg", "b.jpg"]))) == ["a.jpg", "b.jpg"]
    batch = np.stack([NOISE, NOISE[::-1]])
    assert [np.asarray(open_picture(item)).tobytes() for item in pictures(batch)] == [a.tobytes() for a in batch]
    assert list(pictures([])) == []


def test_a_generator_is_not_read_ahead() -> None:
    taken = []

    def names() -> Iterator[str]:
        for name in "abc":
            taken.append(name)
            yield name

    stream = pictures(names())
    assert taken == []
    assert (next(stream), taken) == ("a", ["a"])


def test_what_is_neither_picture_nor_iterable_is_refused_when_opened() -> None:
    wrong: Any = 5
    (item,) = pictures(wrong)
    with pytest.raises(InputError, match=r"not int\.$"):
        open_picture(item)


# What does not open


@pytest.mark.parametrize("wrong", [None, 5, 1.5, ["a.jpg"]], ids=lambda value: type(value).__name__)
def test_other_kinds_are_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match=f"not {type(wrong).__name__}"):
        open_picture(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        NOISE.astype(np.float32),
        NOISE.astype(bool),
        NOISE.astype(np.int64),
        NOISE.transpose(2, 0, 1),
        NOISE[None],
        NOISE[0, 0],
        NOISE[..., :2],
        NOISE[..., :1],
        NOISE[:0],
        NOISE[:, :0],
        np.array("a.jpg"),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_of_another_dtype_or_shape_are_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"^an array of shape .* is no picture; expected uint8"):
        open_picture(wrong)


def test_messages_begin_with_the_name(tmp_path: Path) -> None:
    text, empty, cut = (tmp_path / name for name in ("text.jpg", "empty.png", "cut.png"))
    text.write_text("not a picture", "ascii")
    empty.touch()
    cut.write_bytes(oriented("PNG", 1)[:-200])
    for path in text, empty, cut, tmp_path, tmp_path / "missing é.jpg", str(text), "nul\0.jpg", "":
        with pytest.raises(PictureError) as caught:
            open_picture(path)
        assert str(caught.value).startswith(f"{path}: cannot be read as a picture (")


@pytest.mark.parametrize("data", [b"", b"abc", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", bytes(1000)])
def test_bytes_that_are_no_picture_are_refused(data: bytes) -> None:
    with pytest.raises(PictureError, match=f"^a picture of {len(data)} bytes: cannot be read") as caught:
        open_picture(data)
    assert "object at" not in str(caught.value)


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_cut_anywhere_is_a_picture_or_refused(form: str) -> None:
    data = encoded(Image.fromarray(NOISE), form)
    assert opens(data)
    opened = [cut for cut in range(len(data)) if opens(data[:cut])]
    assert not opened or opened[0] > len(data) // 3  # MPO holds two pictures, and the first will do


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_with_wrong_bytes_is_a_picture_or_refused(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)  # wrong sizes need time otherwise
    data = encoded(Image.fromarray(NOISE), form)
    rng = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(data)
        for position in rng.integers(0, min(len(data), 200), rng.integers(1, 5)).tolist():
            damaged[position] = int(rng.integers(256))
        opens(bytes(damaged))


def test_a_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(PictureError, match="decompression bomb"):
        open_picture(oriented("PNG", 1))


def test_files_are_closed(tmp_path: Path) -> None:
    frames = {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]}
    gif, cut, text = (tmp_path / name for name in ("a.gif", "cut.gif", "text.gif"))
    gif.write_bytes(encoded(Image.fromarray(NOISE), "GIF", **frames))
    cut.write_bytes(gif.read_bytes()[:300])
    text.write_text("not a picture", "ascii")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_picture(gif)
        for path in cut, text:
            with pytest.raises(PictureError):
                open_picture(path)
        gc.collect()
    assert caught == []


def test_preprocess_without_a_model_is_for_224_pixels_unless_told_otherwise() -> None:
    picture = Image.radial_gradient("L")
    assert np.array_equal(preprocess(picture), Preprocess(224)(picture))
    assert np.array_equal(preprocess(picture, 32), Preprocess(32)(picture))


def test_open_files_are_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (5, 4), "red").save(tmp_path / "red.png")
    data = (tmp_path / "red.png").read_bytes()
    assert open_picture(io.BytesIO(data)).size == (5, 4)
    with (tmp_path / "red.png").open("rb") as file:
        assert [open_picture(picture).size for picture in pictures(file)] == [(5, 4)]
    with pytest.raises(PictureError, match=r"^a file: cannot be read as a picture"):
        open_picture(io.BytesIO(b"abc"))


@pytest.mark.parametrize(
    ("size", "draft_size", "decoded"),
    [
        ((1600, 1200), 128, (200, 150)),
        ((1600, 1200), 151, (400, 300)),
        ((1600, 1200), 601, (1600, 1200)),
        ((1600, 1202), 128, (800, 601)),  # no further: sides that are rounded would change the shape
        ((1601, 1200), 128, (1601, 1200)),
    ],
)
def test_a_draft_is_decoded_at_a_whole_fraction_of_its_size(
    size: tuple[int, int], draft_size: int, decoded: tuple[int, int]
) -> None:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "JPEG")
    assert open_picture(file.getvalue(), draft_size=draft_size).size == decoded
    assert open_picture(file.getvalue()).size == size


def test_only_jpeg_has_drafts() -> None:
    file = io.BytesIO()
    Image.new("RGB", (1600, 1200)).save(file, "PNG")
    assert open_picture(file.getvalue(), draft_size=128).size == (1600, 1200)
