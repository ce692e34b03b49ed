"""Bytes to numbers."""

import numpy as np
import pytest

from numpyclip.weights.archive import Bytes
from numpyclip.weights.dtypes import BFLOAT16, array_from_bytes, item_size


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
def test_bfloat16_is_widened_exactly(order: str) -> None:
    values = np.array([0.0, -0.0, 1.0, -2.5, 3.3895314e38, 9.2e-41, np.inf, -np.inf], np.float32)
    values.view(np.uint32)[:] &= 0xFFFF0000
    halves = (values.view(np.uint32) >> 16).astype(order + "u2")
    found = array_from_bytes(_bytes(halves), BFLOAT16, (2, 4), order=order)
    assert found.dtype == np.float32
    assert found.dtype.isnative
    assert found.tobytes() == values.tobytes()


def test_bfloat16_without_dimensions_is_still_an_array() -> None:
    found = array_from_bytes(np.array([0x80, 0x3F], np.uint8), BFLOAT16, ())
    assert type(found) is np.ndarray
    assert found.shape == ()
    assert found == 1


def test_bfloat16_keeps_its_strides_in_mind() -> None:
    halves = (np.arange(6, dtype=np.float32).view(np.uint32) >> 16).astype("<u2")
    found = array_from_bytes(_bytes(halves), BFLOAT16, (3, 2), strides=(1, 3))
    assert np.array_equal(found, np.arange(6).reshape(2, 3).T)


def test_strides_and_offset_count_elements() -> None:
    data = _bytes(np.arange(10, dtype="<f4"))
    found = array_from_bytes(data, "f4", (2, 2), strides=(0, 4), offset=1)
    assert np.array_equal(found, [[1, 5], [1, 5]])
    assert np.shares_memory(found, data)


@pytest.mark.parametrize("kind", ["f4", BFLOAT16])
def test_empty_arrays_need_no_bytes(kind: str) -> None:
    found = array_from_bytes(np.empty(0, np.uint8), kind, (3, 0, 2))
    assert found.shape == (3, 0, 2)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((4,), (1,), 0), ((3,), (1,), 1), ((2,), (3,), 0), ((1,), (1,), -1), ((2,), (-1,), 2), ((1,) * 9, None, 0)],
)
def test_what_leaves_the_bytes_is_refused(shape: tuple[int, ...], strides: tuple[int, ...] | None, offset: int) -> None:
    with pytest.raises(ValueError, match=r"its last number|9 dimensions"):
        array_from_bytes(_bytes(np.arange(3, dtype="<f4")), "f4", shape, strides=strides, offset=offset)


def test_sizes() -> None:
    assert [item_size(kind) for kind in ("f8", "f4", "f2", BFLOAT16, "?")] == [8, 4, 2, 2, 1]
