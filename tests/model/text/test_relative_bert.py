"""The bias for the distance of two tokens; the whole tower is compared in tests/families/test_parity.py."""

import numpy as np
import pytest

from numpyclip.model.text.relative_bert import alibi


@pytest.mark.parametrize(
    ("heads", "slopes"),
    [
        (8, [1 / 2**power for power in range(1, 9)]),  # the paper's
        (12, [2**-power for power in (1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5)]),
    ],
)
def test_the_bias_falls_with_the_distance_in_a_series_of_slopes(heads: int, slopes: list[float]) -> None:
    bias = alibi(heads, 3)
    assert bias.dtype == np.float32
    assert bias.shape == (heads, 1, 3, 3)
    assert np.allclose(bias[:, 0, 0], np.multiply.outer(slopes, [0, -1, -2]))
    assert np.array_equal(bias, bias.swapaxes(2, 3))
