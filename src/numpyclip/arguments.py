"""ARGUMENT → NUMBER: counts, of Python's or NumPy's kind."""

import operator
from typing import Any

import numpy as np


def whole_number(value: Any) -> int | None:
    """Return a whole number of any kind, and None for all else, be it true or 1.0."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None
