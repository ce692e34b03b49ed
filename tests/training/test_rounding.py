"""Rounded weights are near the trained ones, exact in float16, and small."""

import zlib

import numpy as np
import pytest


def test_rows_become_multiples_of_a_power_of_two_of_their_own() -> None:
    from rounding import rounded  # type: ignore[import-not-found]

    weights = np.random.default_rng(0).normal(size=(64, 8, 3, 3)).astype(np.float32)
    weights[1] *= 1e-2
    weights[2] = 0
    result = rounded("visual.layer1.0.conv2.weight", weights)
    assert (result.dtype, result.shape) == (np.float16, weights.shape)
    for row, step in (0, 2**-5), (1, 2**-12):
        counts = result[row].astype(np.float64) / step
        assert (counts == np.rint(counts)).all()
        assert abs(result[row] - weights[row]).max() <= step / 2
    assert not result[2].any()
    assert np.linalg.norm(result - weights) < 0.0125 * np.linalg.norm(weights)
    assert len(zlib.compress(result.tobytes())) < 0.8 * len(zlib.compress(weights.astype(np.float16).tobytes()))


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("visual.bn1.bias", (4096,), np.float32),
        ("visual.conv1.weight", (12, 3, 3, 3), np.float16),
        ("positional_embedding", (77, 128), np.float16),
    ],
)
def test_vectors_small_tensors_and_positions_stay_as_they_are(name: str, shape: tuple[int, ...], dtype: type) -> None:
    from rounding import rounded

    weights = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    result = rounded(name, weights)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, weights.astype(dtype))
