"""More than eight bits: scaled by their range, and embedded as the picture of eight bits."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.bit_depth import Depth
from numpyclip.images.open import open_picture
from numpyclip.images.rgb import on_white

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "album" / "cat-face.png"
EIGHT = np.asarray(on_white(Image.open(PICTURE)).convert("L"))
WIDE = EIGHT.astype(np.uint16) * np.uint16(257)
UNIT = EIGHT.astype(np.float32) / 255
UNSIGNED, SIGNED, FLOAT = 1, 2, 3


def saved(array: NDArray[Any], form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, form)
    return file.getvalue()


def tiff(
    array: NDArray[Any], kind: int, *, white_is_zero: bool = False, order: Literal["<", ">"] = "<", **extra: float
) -> bytes:
    """Write one strip, and tags that Pillow does not write."""
    data = array.astype(array.dtype.newbyteorder(order)).tobytes()
    height, width = array.shape
    numbers = {256: width, 257: height, 258: 8 * array.itemsize, 259: 1, 262: 0 if white_is_zero else 1, 273: 8, 277: 1}
    numbers |= {278: height, 279: len(data), 339: kind} | {int(tag[1:]): number for tag, number in extra.items()}
    file = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(data)) + data
    file += struct.pack(f"{order}H", len(numbers))
    for tag, number in sorted(numbers.items()):
        form = "HHIf" if isinstance(number, float) else "HHII"
        file += struct.pack(order + form, tag, 11 if isinstance(number, float) else 4, 1, number)
    return file + bytes(4)


def pgm(maximum: int) -> bytes:
    samples = np.rint(EIGHT.astype(float) * maximum / 255).astype(">u2" if maximum > 255 else "u1")
    return b"P5 %d %d %d\n" % (*EIGHT.shape[::-1], maximum) + samples.tobytes()


def png_rgb48() -> bytes:
    rows = np.repeat(WIDE[..., np.newaxis], 3, axis=2).astype(">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", *EIGHT.shape[::-1], 16, 2, 0, 0, 0),
        b"IDAT": zlib.compress(raw),
        b"IEND": b"",
    }
    file = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks.items():
        file += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return file


DEEP: dict[str, Any] = {
    "PNG": saved(WIDE, "PNG"),
    "PNG of three channels": png_rgb48(),
    "JPEG 2000": saved(WIDE, "JPEG2000"),
    "PGM of ten bits": pgm(1023),
    "PGM of twelve bits": pgm(4095),
    "PGM": pgm(65535),
    "PGM of seven bits": pgm(127),
    "TIFF": tiff(WIDE, UNSIGNED),
    "TIFF, big-endian": tiff(WIDE, UNSIGNED, order=">"),
    "TIFF, white is zero": tiff(65535 - WIDE, UNSIGNED, white_is_zero=True),
    "TIFF, signed": tiff((WIDE // 2).astype(np.int16), SIGNED),
    "TIFF of twelve bits in sixteen, MaxSampleValue": tiff(WIDE // 16, UNSIGNED, _281=4095),
    "TIFF of twelve bits in sixteen, SMaxSampleValue": tiff(WIDE // 16, UNSIGNED, _341=4095),
    "TIFF of 32 bits": tiff(WIDE.astype(np.uint32) * 65537, UNSIGNED),
    "TIFF of 32 bits, signed": tiff(WIDE.astype(np.int32) * 32768, SIGNED),
    "TIFF of 32 bits, up to 65535": tiff(WIDE.astype(np.int32), SIGNED),
    "TIFF of 32 bits, up to 255": tiff(EIGHT.astype(np.int32), SIGNED),
    "float, 0..1": tiff(UNIT, FLOAT),
    "float, big-endian": tiff(UNIT, FLOAT, order=">"),
    "float, 0..255": tiff(UNIT * 255, FLOAT),
    "float, 0..65535": tiff(UNIT * 65535, FLOAT),
    "float, negative": tiff(UNIT * 2 - 1, FLOAT),
    "float, some range": tiff(UNIT * 1.5, FLOAT),
    "float, tiny": tiff(UNIT * 1e-30, FLOAT),
    "float, huge": tiff(UNIT * 1e38, FLOAT),
    "float, SMaxSampleValue": tiff(UNIT * 765, FLOAT, _341=765.0),
    "float, infinite where white": tiff(np.where(EIGHT == 255, np.inf, UNIT).astype(np.float32), FLOAT),
    "float, NaN where black": tiff(np.where(EIGHT.min() == EIGHT, np.nan, UNIT).astype(np.float32), FLOAT),
    "picture of 16 bits": Image.fromarray(WIDE),
    "picture of 32 bits": Image.fromarray(WIDE.astype(np.int32)),
    "picture of floats": Image.fromarray(UNIT),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_pictures_are_embedded_as_those_of_eight_bits(name: str, tiny: CLIP) -> None:
    shown = open_picture(DEEP[name])
    assert shown.mode in ("L", "RGB")
    assert np.abs(np.asarray(shown.convert("L"), int) - EIGHT).max() <= (255 if "NaN" in name else 1)
    cosine = tiny.embed_images(DEEP[name])[0] @ tiny.embed_images(Image.fromarray(EIGHT))[0]
    assert cosine > (0.98 if "NaN" in name else 0.999)


@pytest.mark.parametrize("value", [0, 1, -5, np.nan, np.inf, -np.inf])
def test_what_has_one_value_only_is_a_picture_too(value: float) -> None:
    assert open_picture(Image.fromarray(np.full((3, 2), value, np.float32))).size == (2, 3)


def test_a_picture_of_the_user_is_not_changed() -> None:
    picture = Image.fromarray(WIDE)
    open_picture(picture)
    assert np.array_equal(np.asarray(picture), WIDE)


def test_a_dark_png_stays_dark_also_where_pillow_has_no_mode_of_16_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    dark = saved(WIDE // 16, "PNG")
    expected = np.rint(WIDE // 16 / 257)
    modes = {**PngImagePlugin._MODES, (16, 0): ("I", "I;16B")}  # as in Pillow 10.1
    for known in (PngImagePlugin._MODES, modes):
        monkeypatch.setattr(PngImagePlugin, "_MODES", known)
        assert np.abs(np.asarray(open_picture(dark), int) - expected).max() <= 1


def test_a_large_picture_is_scaled_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.images.bit_depth._BAND", 300)
    assert np.array_equal(np.asarray(open_picture(DEEP["TIFF"])), EIGHT)
    assert np.abs(np.asarray(open_picture(DEEP["float, negative"]), int) - EIGHT).max() <= 1


@pytest.mark.parametrize(
    ("samples", "levels"),
    [
        ([0, 0.25, 0.5, 1], [0, 64, 128, 255]),
        ([0, 0.125, 0.25], [0, 128, 255]),  # a quarter of 1 is not above it
        ([0, 0.25, 0.26], [0, 64, 66]),
        ([0, 1.5], [0, 255]),
        ([0, 128, 200], [0, 128, 200]),
        ([0, 512, 900], [0, 128, 224]),  # of 1023
        ([-1, 0, 1], [0, 128, 255]),
        ([4, 5, 6], [0, 128, 255]),
        ([5, 5], [255, 255]),
        ([-3, -3], [0, 0]),
        ([0, 1, np.nan, np.inf, -np.inf], [0, 255, 0, 255, 0]),
    ],
)
def test_a_range_that_is_not_stated_is_of_the_usual_bits_or_measured(samples: list[float], levels: list[int]) -> None:
    picture = Image.fromarray(np.array([samples], np.float32))
    assert np.asarray(Depth().eight_bits(picture)).tolist() == [levels]
    inverted = np.asarray(Depth(inverted=True).eight_bits(picture))
    assert inverted.tolist() == [[255 - level for level in levels]]


def test_samples_of_whole_numbers_are_not_taken_for_shares_of_one() -> None:
    assert np.asarray(Depth().eight_bits(Image.fromarray(np.array([[0, 1]], np.int32)))).tolist() == [[0, 255]]
    assert np.asarray(Depth().eight_bits(Image.fromarray(np.array([[1, 2]], np.int32)))).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("smallest", "largest", "expected"),
    [
        (10, 20, (10.0, 20.0)),
        (0, 20, (0.0, 20.0)),
        (20, 20, (0.0, None)),
        (20, 10, (0.0, None)),
    ],
)
def test_a_range_that_is_stated_has_a_smallest_and_a_larger_one(
    smallest: int, largest: int, expected: tuple[float, float | None]
) -> None:
    file = tiff(np.array([[12, 18]], np.int32), SIGNED, t340=smallest, t341=largest)
    depth = Depth.of(Image.open(io.BytesIO(file)))
    assert depth is not None
    assert (depth.low, depth.high) == expected
