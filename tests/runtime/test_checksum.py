"""The checksum of prepared weights: what it notices."""

import numpy as np
import pytest

from numpyclip.runtime.checksum import checksum
from numpyclip.weights.dtypes import BFloat16
from numpyclip.weights.int8 import scaled

PAGE = 1024  # numbers; a block has 254 and a half
WEIGHTS = np.random.default_rng(0).standard_normal((600, PAGE + 1), np.float32)  # pages, and a part of one


def _of(array: np.ndarray) -> str:
    return checksum({"w": array}, "model")


def test_it_is_that_of_the_values_however_they_lie_in_memory() -> None:
    assert _of(WEIGHTS) == _of(np.asfortranarray(WEIGHTS)) == _of(WEIGHTS.astype(">f4"))


@pytest.mark.parametrize("place", [0, 1, 1017, 1018, PAGE, 64 * PAGE, 509 * 512, 509 * 512 - 1, -PAGE, -1])
@pytest.mark.parametrize("bit", [0, 31])
def test_it_changes_with_every_bit(place: int, bit: int) -> None:
    changed = WEIGHTS.copy()
    changed.reshape(-1).view(np.uint32)[place] ^= np.uint32(1 << bit)
    assert _of(changed) != _of(WEIGHTS)


@pytest.mark.parametrize("distance", [1, 2, PAGE, 2 * PAGE, 64 * PAGE, 300 * PAGE])
@pytest.mark.parametrize("length", [1, 2, PAGE])
def test_it_changes_if_two_parts_change_places(distance: int, length: int) -> None:
    changed = WEIGHTS.copy()
    flat = changed.reshape(-1)
    distance = max(distance, length)
    flat[:length], flat[distance : distance + length] = flat[distance : distance + length].copy(), flat[:length].copy()
    assert _of(changed) != _of(WEIGHTS)


def test_it_changes_with_names_shapes_dtypes_and_what_they_are_about() -> None:
    zeros = np.zeros(6, np.float32)
    int8 = scaled(np.ones((2, 3), np.int8), np.ones(2, np.float32))
    others = [
        checksum(arrays, "model")
        for arrays in (
            {"w": zeros},
            {"v": zeros},
            {"w": zeros.reshape(2, 3)},
            {"w": zeros.view(np.int32)},
            {"w": np.zeros(12, np.float16)},
            {"w": np.zeros(12, np.uint16).view(BFloat16)},
            {"w": int8},
            {"w": scaled(np.ones((2, 3), np.int8), np.full(2, 2, np.float32))},
            {"w": zeros, "x": zeros[:0]},
            {},
        )
    ]
    assert len({*others, checksum({"w": zeros}, "another model")}) == len(others) + 1
