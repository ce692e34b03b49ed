"""Checksums of rows and of prepared weights: what they notice."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numpyclip.runtime.checksum import checksum, row_checksums
from numpyclip.weights.dtypes import BFloat16
from numpyclip.weights.int8 import scaled
from numpyclip.weights.safetensors import unwritten

PAGE = 1024  # numbers, as many as a row has
WEIGHTS = np.random.default_rng(0).standard_normal((600, PAGE + 1), np.float32)  # pages, and a part of one


def _of(array: np.ndarray) -> str:
    return checksum(unwritten("w", array), "model")


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
        checksum([tensor for name, array in arrays.items() for tensor in unwritten(name, array)], "model")
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
    assert len({*others, checksum(unwritten("w", zeros), "another model")}) == len(others) + 1


@pytest.mark.parametrize("size", [1, 3, 8, 13, 128, 520])
def test_a_row_of_any_size_has_one_checksum(size: int) -> None:
    rows = np.random.default_rng(size).integers(0, 256, (300, size), dtype=np.uint8)
    found = row_checksums(rows)
    assert found.shape == (300,)
    assert len(set(found.tolist())) == len({row.tobytes() for row in rows})
    assert row_checksums(rows[7:9]).tolist() == found[7:9].tolist()


def _signs(rows: np.ndarray, columns: Any) -> np.ndarray:
    changed: np.ndarray = rows.copy()
    changed[:, columns] ^= np.uint32(1 << 31)
    return changed


@pytest.mark.parametrize(
    "change",
    [
        *(lambda rows, bit=bit: rows ^ (np.arange(512) == 77).astype(np.uint32) << np.uint32(bit) for bit in range(32)),
        *(lambda rows, bit=bit: rows ^ np.uint32(1 << bit) for bit in range(32)),  # the same bit of all numbers
        *(lambda rows, bit=bit: rows | np.uint32(1 << bit) for bit in range(32)),  # a bit that is stuck
        lambda rows: _signs(rows, [1, 3]),
        lambda rows: _signs(rows, [0, 511]),
        lambda rows: _signs(rows, slice(1, None, 2)),
        lambda rows: _signs(rows, slice(None)),
        lambda rows: rows[:, ::-1],
        lambda rows: np.roll(rows, 1, axis=1),
        lambda rows: np.roll(rows, 2, axis=1),
        lambda rows: rows[:, np.r_[2, 1, 0, 3:512]],
        lambda rows: rows[:, np.r_[1, 0, 2:512]],
        lambda rows: rows * (np.arange(512) < 256).astype(np.uint32),
        lambda rows: rows * np.uint32(0),
        lambda rows: rows.byteswap(),
    ],
)
def test_every_row_that_is_damaged_has_another_checksum(change: Callable[[np.ndarray], np.ndarray]) -> None:
    rows = np.random.default_rng(0).standard_normal((64, 512), np.float32).view(np.uint32)
    damaged = change(rows)
    differ = (damaged != rows).any(axis=1)
    assert differ.any()
    assert ((row_checksums(damaged) != row_checksums(rows)) == differ).all()


def test_the_checksums_of_files_never_change() -> None:
    rows = np.arange(2 * 512, dtype="<f4").reshape(2, 512)
    assert row_checksums(rows).tolist() == [8784218272093985629, 2139044211808639837]
