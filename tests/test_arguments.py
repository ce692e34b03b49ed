"""What counts as a count."""

from typing import Any

import numpy as np
import pytest

from numpyclip.arguments import whole_number


@pytest.mark.parametrize("value", [5, np.int64(5), np.uint8(5), np.array(5)])
def test_a_whole_number_may_be_numpys(value: Any) -> None:
    assert type(whole_number(value)) is int
    assert whole_number(value) == 5


@pytest.mark.parametrize("value", [True, np.True_, 5.0, np.float32(5), "5", None, [5], np.array([5, 6]), 5j])
def test_what_only_looks_like_a_whole_number_is_none(value: Any) -> None:
    assert whole_number(value) is None
