import numpy as np
import pytest

from numpyclip.errors import CorruptCheckpointError, InputError
from numpyclip.runtime.finite_embeddings import NotFinite, any_finite, checked_finite, finite_rows

ROWS = np.array([[1, 0], [np.nan, 0], [0, -np.inf], [0, np.inf], [0, 0]], np.float32)


def test_rows_with_nan_or_infinity_are_found() -> None:
    assert finite_rows(ROWS).tolist() == [True, False, False, False, False]
    assert finite_rows(ROWS[:0]).tolist() == []


def test_the_first_row_that_is_not_finite_is_named() -> None:
    assert checked_finite(ROWS[:1], str) is not None
    with pytest.raises(InputError, match=r"^row 1: its embedding has NaN or infinity, or is zero: .*; use an intact"):
        checked_finite(ROWS, "row {}".format)


def test_where_no_row_is_finite_the_weights_are_damaged() -> None:
    with pytest.raises(CorruptCheckpointError, match=r"^row 0: its embedding has NaN or infinity"):
        checked_finite(ROWS[1:], "row {}".format)


def test_one_finite_result_clears_the_weights_and_other_errors_say_nothing_of_them() -> None:
    bad, other = NotFinite("row 1: its embedding has NaN."), InputError("row 0: is missing.")
    assert any_finite([other, bad, ROWS[0]])
    assert not any_finite([])
    assert not any_finite([other, None])
    with pytest.raises(CorruptCheckpointError, match=r"^row 1: its embedding has NaN"):
        any_finite([other, None, bad])
