"""Safetensors that are sound; the others are in the table of hostile files."""

from pathlib import Path

import numpy as np
import pytest

from numpyclip.weights.read import read
from tests.weights.forged import GOLDEN, entry, safetensors


def _read(tmp_path: Path, header: object, body: bytes = b"") -> dict[str, np.ndarray]:
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors(header, body))
    return dict(read(path).arrays)


def test_a_genuine_file_is_read() -> None:
    arrays = read(GOLDEN / "vit.safetensors").arrays
    assert arrays["visual.conv1.weight"].shape == (128, 3, 8, 8)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    assert arrays["logit_scale"] == np.float16(3.7)


@pytest.mark.parametrize(
    ("dtype", "numpy_dtype"),
    [
        ("F64", "<f8"),
        ("F32", "<f4"),
        ("F16", "<f2"),
        ("I64", "<i8"),
        ("I32", "<i4"),
        ("I16", "<i2"),
        ("I8", "i1"),
        ("U64", "<u8"),
        ("U32", "<u4"),
        ("U16", "<u2"),
        ("U8", "u1"),
        ("BOOL", "?"),
    ],
)
def test_every_format_is_read(tmp_path: Path, dtype: str, numpy_dtype: str) -> None:
    values = np.array([[1, 0, 1], [0, 1, 1]]).astype(numpy_dtype)
    found = _read(tmp_path, {"w": entry(dtype, [2, 3], 0, values.nbytes)}, values.tobytes())["w"]
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)
    assert not found.flags.owndata


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    found = _read(tmp_path, {"w": entry("BF16", [2], 0, 4)}, b"\x80\x3f\x20\xc0")["w"]
    assert found.dtype == np.float32
    assert list(found) == [1, -2.5]


def test_scalars_and_empty_tensors_are_read(tmp_path: Path) -> None:
    header = {
        "b": entry(shape=[]),
        "a": entry(shape=[0, 3], start=0, stop=0),
        "c": entry("BF16", [2, 0], 4, 4),
    }
    found = _read(tmp_path, header, np.float32(7).tobytes())
    assert {name: array.shape for name, array in found.items()} == {"a": (0, 3), "b": (), "c": (2, 0)}
    assert found["b"] == 7


def test_tensors_may_lie_in_any_order_and_metadata_is_no_tensor(tmp_path: Path) -> None:
    header = {"__metadata__": {"format": "pt"}, "a": entry(start=4, stop=8), "b": entry()}
    found = _read(tmp_path, header, np.array([1, 2], "<f4").tobytes())
    assert found["a"] == 2
    assert found["b"] == 1
    assert set(found) == {"a", "b"}


def test_the_header_may_end_in_spaces(tmp_path: Path) -> None:
    raw = b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}' + b" " * 100
    assert _read(tmp_path, raw, b"\x05")["w"] == 5


def test_a_header_of_no_tensors_is_sound(tmp_path: Path) -> None:
    assert _read(tmp_path, {}) == {}


def test_numbers_that_do_not_lie_on_their_alignment_are_read(tmp_path: Path) -> None:
    header = {"a": entry("U8", [1], 0, 1), "b": entry("F64", [1], 1, 9)}
    found = _read(tmp_path, header, b"\1" + np.float64(0.1).tobytes())
    assert found["b"] == 0.1
