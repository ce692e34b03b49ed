import math

import numpy as np

from numpyclip.model.text.m2m100 import sinusoids


def test_positions_are_sines_and_then_cosines_of_falling_frequencies() -> None:
    table = sinusoids(2, 3, 7)
    assert table.dtype == np.float32
    assert table.shape == (3, 7)
    for row, position in zip(table, (2, 3, 4), strict=True):
        angles = [position * 10000 ** (-i / 2) for i in range(3)]
        np.testing.assert_allclose(row, [*map(math.sin, angles), *map(math.cos, angles), 0], atol=1e-6)
