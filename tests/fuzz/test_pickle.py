"""Plain values, read as the standard library wrote them."""

import pickle
from io import BytesIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from numpyclip.errors import NumPyCLIPError
from numpyclip.weights.budget import Budget
from numpyclip.weights.unpickle import Symbol, unpickle
from tests.fuzz.mutations import mutated
from tests.fuzz.programs import programs

_KEYS = st.text() | st.integers(-(2**60), 2**60) | st.booleans() | st.none()
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**1000), 2**1000) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda values: (
        st.lists(values, max_size=4) | st.dictionaries(_KEYS, values, max_size=4) | st.tuples(values, values)
    ),
    max_leaves=9,
)


class _NoWords:
    def allows(self, symbol: Symbol) -> bool:
        return False

    def make(self, symbol: Symbol, arguments: tuple[Any, ...]) -> object:
        raise AssertionError("no symbol is allowed")

    def persistent(self, key: object) -> object:
        return key


def _read(content: bytes) -> Any:
    return unpickle(BytesIO(content), _NoWords(), "file", Budget(len(content)))


@given(value=_PLAIN, protocol=st.integers(3, 5))
def test_plain_values_are_read_as_they_were_written(value: object, protocol: int) -> None:
    assert _read(pickle.dumps(value, protocol)) == value


@given(content=programs() | mutated([pickle.dumps([{"a": (1, 2.5, "b", b"c", None)}] * 3, 4)]) | st.binary())
def test_anything_else_is_read_or_refused(content: bytes) -> None:
    try:
        _read(content)
    except NumPyCLIPError as error:
        assert str(error).startswith("file: ") and len(str(error)) < 1000
