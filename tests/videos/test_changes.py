import numpy as np
import pytest

from numpyclip.videos.changes import LUMA_SIDE, changes


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ([], []),
        ([(0, 50), (1, 50), (2, 60)], [0]),
        ([(0, 50), (0.4, 200), (0.6, 200), (1, 50), (1.2, 50)], [0, 0.6, 1.2]),  # compared twice a second
        ([(0, 50), (2, 50), (2.5, 50), (4, 50), (5, 50)], [0, 2.5, 5]),
        ([(3, 50), (1, 200), (9, 50)], [3, 9]),
    ],
)
def test_what_differs_and_what_is_late(shown: list[tuple[float, int]], expected: list[float]) -> None:
    found = changes(shown, lambda light: np.full((LUMA_SIDE, LUMA_SIDE), light, np.float32), 5.0)
    assert [seconds for seconds, _ in found] == expected


def test_they_are_apart() -> None:
    found = changes([(n, n) for n in range(20)], lambda number: np.full((2, 2), 100 * number, np.float32), 20.0, 7.0)
    assert [seconds for seconds, _ in found] == [0, 7, 14]
