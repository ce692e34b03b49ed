import itertools
from collections.abc import Callable

import numpy as np
import pytest

from numpyclip.model.ops import Array
from numpyclip.model.vision import feature_maps
from tests.model.test_ops import check_types, random

CALLS: dict[str, tuple[Callable[..., Array], tuple[object, ...]]] = {
    "patches": (feature_maps.patches, (random(2, 3, 4, 6), 2)),
    "convolve3x3": (feature_maps.convolve3x3, (random(3, 5, 4, 2), random(6, 27), random(6), 2)),
    "convolve_channels": (feature_maps.convolve_channels, (random(3, 5, 4, 2), random(6, 7, 7), random(6), 2)),
    "average_pool": (feature_maps.average_pool, (random(3, 5, 4, 2),)),
    "average_pool3x3": (feature_maps.average_pool3x3, (random(3, 5, 4, 2),)),
    "squares": (feature_maps.squares, (random(3, 5, 4, 2), 2)),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_op_keeps_float32_and_leaves_its_inputs_alone(name: str) -> None:
    check_types(*CALLS[name])


def test_patches_go_row_by_row_and_list_channels_first() -> None:
    image = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(1, 2, 4, 4)
    columns = feature_maps.patches(image, 2)
    assert columns.shape == (8, 1, 4)
    assert columns[:, 0, 1].tolist() == [2, 3, 6, 7, 18, 19, 22, 23]


@pytest.mark.parametrize(("rows", "columns", "stride"), [(5, 4, 1), (5, 4, 2), (1, 1, 1), (6, 7, 2)])
def test_convolve3x3_equals_the_sum_written_out(rows: int, columns: int, stride: int) -> None:
    x, weight, bias = random(3, rows, columns, 2), random(4, 3, 3, 3), random(4)  # (output, channel, row, column)
    result = feature_maps.convolve3x3(x, weight.reshape(4, 27), bias, stride)
    expected = np.zeros((4, -(-rows // stride), -(-columns // stride), 2)) + bias.reshape(4, 1, 1, 1)
    for i, j, di, dj in itertools.product(range(expected.shape[1]), range(expected.shape[2]), range(3), range(3)):
        y, z = i * stride + di - 1, j * stride + dj - 1
        if 0 <= y < rows and 0 <= z < columns:
            expected[:, i, j] += weight[:, :, di, dj].astype(float) @ x[:, y, z]
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_average_pool_drops_the_rest_at_the_edge() -> None:
    x = np.arange(15, dtype=np.float32).reshape(1, 3, 5, 1)
    assert feature_maps.average_pool(x)[0, :, :, 0].tolist() == [[3, 5]]


def test_squares_drop_the_rest_at_the_edge_and_list_channels_first() -> None:
    x = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5, 1)
    cut = feature_maps.squares(x, 2)
    assert cut.shape == (8, 1, 2, 1)
    assert cut[:, 0, 1, 0].tolist() == [2, 3, 7, 8, 17, 18, 22, 23]


@pytest.mark.parametrize(
    ("rows", "columns", "k", "stride", "outputs"),
    [
        (5, 4, 3, 1, 1),
        (1, 1, 7, 1, 1),  # all but one of the filter's numbers lie outside
        (1, 1, 7, 2, 2),
        (8, 3, 7, 1, 1),  # one band
        (9, 3, 7, 1, 2),  # two bands, the second one row longer than the picture
        (17, 6, 7, 2, 2),
        (18, 7, 3, 2, 1),
        (35, 2, 3, 2, 3),
    ],
)
def test_convolve_channels_equals_the_sum_written_out(
    rows: int, columns: int, k: int, stride: int, outputs: int
) -> None:
    x, weight, bias = random(3, rows, columns, 2), random(3 * outputs, k, k), random(3 * outputs)
    expected = np.zeros((3 * outputs, -(-rows // stride), -(-columns // stride), 2)) + bias.reshape(-1, 1, 1, 1)
    for e, i, j, di, dj in itertools.product(*map(range, (*expected.shape[:3], k, k))):
        y, z = i * stride + di - k // 2, j * stride + dj - k // 2
        if 0 <= y < rows and 0 <= z < columns:
            expected[e, i, j] += weight[e, di, dj].astype(float) * x[e // outputs, y, z]
    np.testing.assert_allclose(feature_maps.convolve_channels(x, weight, bias, stride), expected, rtol=1e-5, atol=1e-5)


def test_convolve_channels_in_pieces_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = random(5, 9, 4, 2), random(10, 7, 7), random(10)
    whole = feature_maps.convolve_channels(x, weight, bias)
    monkeypatch.setattr(feature_maps, "_PIECE", 2 * x[0].size * 2 * 2)  # two channels at a time
    np.testing.assert_allclose(feature_maps.convolve_channels(x, weight, bias), whole, rtol=1e-6, atol=1e-6)


def test_channels_that_are_larger_than_a_piece_are_convolved_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = random(3, 9, 4, 2), random(3, 7, 7), random(3)
    whole = feature_maps.convolve_channels(x, weight, bias)
    monkeypatch.setattr(feature_maps, "_PIECE", 1)
    np.testing.assert_allclose(feature_maps.convolve_channels(x, weight, bias), whole, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 1), (5, 4), (6, 7)])
def test_means_of_windows_leave_out_what_is_beyond_the_edges(rows: int, columns: int) -> None:
    x = random(3, rows, columns, 2)
    result = feature_maps.average_pool3x3(x)
    assert result.shape == (3, -(-rows // 2), -(-columns // 2), 2)
    for i, j in np.ndindex(result.shape[1:3]):
        window = x[:, max(2 * i - 1, 0) : 2 * i + 2, max(2 * j - 1, 0) : 2 * j + 2]
        np.testing.assert_allclose(result[:, i, j], window.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)
