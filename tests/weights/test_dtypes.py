"""Bytes to numbers, and back."""

import pickle
from typing import Any

import numpy as np
import pytest

from numpyclip.weights import dtypes
from numpyclip.weights.archive import Bytes
from numpyclip.weights.dtypes import (
    BFLOAT16,
    BFloat16,
    array_from_bytes,
    item_size,
    narrow_to_bfloat16,
    narrow_to_float16,
)


def _bytes(array: np.ndarray) -> Bytes:
    return np.frombuffer(array.tobytes(), np.uint8)


@pytest.mark.parametrize("kind", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "u2", "?"])
@pytest.mark.parametrize("order", "<>")
def test_every_format_in_both_orders(kind: str, order: str) -> None:
    values = np.array([[0, 1, 2], [3, 100, 1]]).astype(order + kind)
    found = array_from_bytes(_bytes(values), kind, (2, 3), order=order)
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)


@pytest.mark.parametrize("order", "<>")
def test_bfloat16_is_viewed_as_it_is_and_widened_exactly(order: str) -> None:
    values = np.array([0.0, -0.0, 1.0, -2.5, 3.3895314e38, 9.2e-41, np.inf, -np.inf], np.float32)
    values.view(np.uint32)[:] &= 0xFFFF0000
    halves = (values.view(np.uint32) >> 16).astype(order + "u2")
    data = _bytes(halves)
    found = array_from_bytes(data, BFLOAT16, (2, 4), order=order)
    assert np.shares_memory(found, data)
    assert (found.itemsize, found.shape) == (2, (2, 4))
    wide = found.astype(np.float32)
    assert type(wide) is np.ndarray
    assert wide.dtype == np.float32
    assert wide.dtype.isnative
    assert wide.tobytes() == values.tobytes()
    wide += 1  # it is new
    assert found.astype(np.float32).tobytes() == values.tobytes()


def test_bfloat16_without_dimensions_is_still_an_array() -> None:
    found = array_from_bytes(np.array([0x80, 0x3F], np.uint8), BFLOAT16, ()).astype(np.float32)
    assert type(found) is np.ndarray
    assert found.shape == ()
    assert found == 1


def test_any_view_of_bfloat16_still_stands_for_its_numbers() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    found = narrow_to_bfloat16(values).view(BFloat16)
    for view, expected in (
        (found.transpose(2, 0, 1), values.transpose(2, 0, 1)),
        (found.reshape(6, 4)[::2, 1:], values.reshape(6, 4)[::2, 1:]),
        (found[1, 2], values[1, 2]),
        (found[[[1, 0], [0, 0]]], values[[[1, 0], [0, 0]]]),
        (pickle.loads(pickle.dumps(found)), values),
    ):
        wide = view.astype(np.float32)
        assert wide.flags.c_contiguous
        np.testing.assert_array_equal(wide, expected)


def test_bits_of_bfloat16_are_not_reckoned_with() -> None:
    found = narrow_to_bfloat16(np.ones(3, np.float32)).view(BFloat16)
    for reckon in (
        lambda: found + 1,
        lambda: found == 1,
        lambda: np.abs(found),
        lambda: found @ found,
        lambda: np.stack([found]),
    ):
        with pytest.raises(TypeError):
            reckon()


def test_bfloat16_keeps_its_strides_in_mind() -> None:
    halves = (np.arange(6, dtype=np.float32).view(np.uint32) >> 16).astype("<u2")
    found = array_from_bytes(_bytes(halves), BFLOAT16, (3, 2), strides=(1, 3))
    assert np.array_equal(found.astype(np.float32), np.arange(6).reshape(2, 3).T)


def test_strides_and_offset_count_elements() -> None:
    data = _bytes(np.arange(10, dtype="<f4"))
    found = array_from_bytes(data, "f4", (2, 2), strides=(0, 4), offset=1)
    assert np.array_equal(found, [[1, 5], [1, 5]])
    assert np.shares_memory(found, data)


@pytest.mark.parametrize("kind", ["f4", BFLOAT16])
def test_empty_arrays_need_no_bytes(kind: str) -> None:
    found = array_from_bytes(np.empty(0, np.uint8), kind, (3, 0, 2))
    assert found.shape == (3, 0, 2)
    assert found.astype(np.float32).shape == (3, 0, 2)


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((4,), (1,), 0), ((3,), (1,), 1), ((2,), (3,), 0), ((1,), (1,), -1), ((2,), (-1,), 2), ((1,) * 9, None, 0)],
)
def test_what_leaves_the_bytes_is_refused(shape: tuple[int, ...], strides: tuple[int, ...] | None, offset: int) -> None:
    with pytest.raises(ValueError, match=r"its last number|9 dimensions"):
        array_from_bytes(_bytes(np.arange(3, dtype="<f4")), "f4", shape, strides=strides, offset=offset)


def test_sizes() -> None:
    assert [item_size(kind) for kind in ("f8", "f4", "f2", BFLOAT16, "?")] == [8, 4, 2, 2, 1]


@pytest.mark.parametrize(
    ("number", "bits"),
    [
        (1.0, 0x3F80),
        (-2.5, 0xC020),
        (0.0, 0),
        (-0.0, 0x8000),
        (1 + 2**-8, 0x3F80),  # half way: to even, down
        (1 + 3 * 2**-8, 0x3F82),  # half way: to even, up
        (1 + 2**-8 + 2**-20, 0x3F81),  # a little more than half
        (2 - 2**-9, 0x4000),  # into the next exponent
        (2.0**-133, 1),  # the smallest
        (2.0**-134, 0),
        (np.inf, 0x7F80),
        (-np.inf, 0xFF80),
        (3.3895314e38, 0x7F7F),  # the largest
    ],
)
def test_bfloat16_is_rounded_to_the_nearest_and_half_to_even(number: float, bits: int) -> None:
    assert narrow_to_bfloat16(np.array([number], np.float32)).tolist() == [bits]
    assert narrow_to_bfloat16(np.array(number, np.float32)).shape == ()


def test_what_is_no_number_stays_none() -> None:
    payloads = np.array([0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF, 0xFF800001, 0x7FC00000], np.uint32).view(np.float32)
    halves = narrow_to_bfloat16(payloads)
    assert np.isnan(array_from_bytes(_bytes(halves), BFLOAT16, (5,)).astype(np.float32)).all()
    assert np.isnan(narrow_to_float16(payloads)).all()


@pytest.mark.parametrize(
    ("narrow", "largest", "too_large"),
    [(narrow_to_float16, 65519.0, 65520.0), (narrow_to_bfloat16, 3.39e38, 3.4e38)],
)
def test_what_would_become_infinite_is_refused(narrow: Any, largest: float, too_large: float) -> None:
    assert np.isfinite(narrow(np.array([1, -largest], np.float32)).astype(np.float64)).all()
    with pytest.raises(OverflowError, match="is too large"):
        narrow(np.array([[1], [-too_large]], np.float32))
    with pytest.raises(OverflowError):
        narrow(np.array(too_large, np.float32))


def test_where_vectors_flush_subnormals_float16_is_converted_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    first_alone = np.array([2.0**-136, 0], np.float32)  # as 32-bit ARM multiplies, whose vectors are of four
    monkeypatch.setattr(dtypes, "_SMALLEST", first_alone)
    monkeypatch.setattr(dtypes, "_widen_float16", lambda halves, wide: pytest.fail("subnormals would be zeros"))
    wide = np.empty(1, np.float32)
    dtypes.widen(np.array([2.0**-24], np.float16), wide)
    assert wide == 2.0**-24
