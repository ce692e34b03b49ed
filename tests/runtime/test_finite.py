import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.runtime.finite import checked_finite, finite_rows

ROWS = np.array([[1, 0], [np.nan, 0], [0, -np.inf], [0, np.inf]], np.float32)


def test_rows_with_nan_or_infinity_are_found() -> None:
    assert finite_rows(ROWS).tolist() == [True, False, False, False]
    assert finite_rows(ROWS[:0]).tolist() == []


def test_the_first_row_that_is_not_finite_is_named() -> None:
    assert checked_finite(ROWS[:1], str) is not None
    with pytest.raises(InputError, match=r"^row 1: its embedding has NaN or infinity: .*; use an intact file\.$"):
        checked_finite(ROWS, "row {}".format)
