"""The stack machine: what it builds, and that nothing is looked up."""

import datetime
import math
import pickle
from collections import OrderedDict
from io import BytesIO
from typing import Any

import pytest

from numpyclip.errors import CorruptCheckpointError, UnsafeCheckpointError, UnsupportedCheckpointError
from numpyclip.weights.budget import Budget
from numpyclip.weights.unpickle import Opaque, ScriptObject, Symbol, unpickle
from tests.weights.forged import call, get, items, listed, mapping, name, number, pickled, put, real, text


class _Words:
    """A vocabulary of one class, `module.Class`, whose calls become bags."""

    def allows(self, symbol: Symbol) -> bool:
        return symbol == Symbol("module", "Class") or symbol == Symbol("collections", "OrderedDict")

    def make(self, symbol: Symbol, arguments: tuple[Any, ...]) -> object:
        return {} if symbol.name == "OrderedDict" else ScriptObject(symbol, {"arguments": arguments})

    def persistent(self, key: object) -> object:
        return ("persistent", key)


class _Opaque(_Words):
    """A vocabulary of all classes, which are opaque."""

    def allows(self, symbol: Symbol) -> bool:
        return True

    def make(self, symbol: Symbol, arguments: tuple[Any, ...]) -> object:
        return Opaque(symbol)


def _read(content: bytes, vocabulary: _Words | None = None) -> Any:
    return unpickle(BytesIO(content), vocabulary or _Words(), "file.pt", Budget(len(content)))


PLAIN = [
    None,
    True,
    0,
    255,
    65_535,
    -1,
    2**31 - 1,
    2**63,
    -(2**70),
    0.5,
    -math.inf,
    "",
    "\u00e9\ud800",
    "long" * 100,
    (),
    (1,),
    (1, 2),
    (1, 2, 3),
    (1, 2, 3, 4),
    [],
    [1],
    [1, [2, [3]]],
    {},
    {"a": 1},
    {"a": {"b": [1, ("c", None)]}, 5: 6, None: 7, 0.5: 8},
    OrderedDict(a=1, b=2),
]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("value", PLAIN, ids=range(len(PLAIN)))
def test_plain_values_are_read_as_the_standard_library_wrote_them(value: object, protocol: int) -> None:
    assert _read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_bytes_are_read(protocol: int) -> None:
    assert _read(pickle.dumps(b"bytes" * 100, protocol)) == b"bytes" * 100


def test_shared_values_stay_shared() -> None:
    shared: list[int] = [1]
    first, second = _read(pickle.dumps((shared, shared), 2))
    assert first is second


def test_the_stream_is_left_behind_the_pickle() -> None:
    stream = BytesIO(pickled(number(1)) + pickled(number(2)) + b"rest")
    budget = Budget(100)
    assert [unpickle(stream, _Words(), "file.pt", budget) for _ in range(2)] == [1, 2]
    assert stream.read() == b"rest"


def test_a_class_is_a_symbol_and_is_not_looked_up() -> None:
    assert _read(pickled(name("module", "Class"))) == Symbol("module", "Class")
    assert _read(pickled(text("module") + text("Class") + b"\x93")) == Symbol("module", "Class")


def test_calls_and_states_become_bags() -> None:
    bag = _read(pickled(call(name("module", "Class"), number(1))))
    assert (bag.kind, bag.attributes) == (Symbol("module", "Class"), {"arguments": (1,)})
    bag = _read(pickled(name("module", "Class") + b")\x81" + mapping([(text("a"), number(1))]) + b"b"))
    assert bag.attributes == {"a": 1}


def test_the_state_of_an_ordered_dict_is_dropped() -> None:
    state = mapping([(text("_metadata"), b"N")])
    assert _read(pickled(call(name("collections", "OrderedDict")) + state + b"b")) == {}


def test_a_persistent_id_is_left_to_the_vocabulary() -> None:
    assert _read(pickled(items(text("storage")) + b"Q")) == ("persistent", ("storage",))


def test_the_memo_keeps_what_was_put_in_any_order() -> None:
    assert _read(pickled(listed(number(1) + put(2**32 - 1), get(2**32 - 1)))) == [1, 1]


@pytest.mark.parametrize("value", [print, Symbol, 1j, datetime.date(2020, 1, 1), Exception("x")], ids=repr)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_everything_else_is_refused(value: object, protocol: int) -> None:
    with pytest.raises(UnsafeCheckpointError, match=r"^file\.pt: refused, the "):
        _read(pickle.dumps(value, protocol))


@pytest.mark.parametrize("value", [{1, 2}, frozenset([1, 2])], ids=repr)
def test_sets_are_opaque(value: object) -> None:
    made = _read(pickle.dumps(value, 4))
    assert isinstance(made, Opaque)
    assert str(made.kind) == "builtins.set"


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_bytes_and_long_numbers_are_read(protocol: int) -> None:
    assert _read(pickle.dumps(10**700, protocol)) == 10**700
    assert _read(pickle.dumps(bytearray(b"ab"), 5)) == b"ab"


def test_an_opaque_value_keeps_its_items_and_its_state_and_no_more() -> None:
    made = call(name("module", "Dict"), number(1))
    root = _read(
        pickled(made + b"(" + text("a") + number(2) + b"u" + listed(number(3)) + b"b(" + number(4) + b"e"), _Opaque()
    )
    assert isinstance(root, Opaque)
    assert (str(root.kind), root.items, root.state) == ("module.Dict", {"a": 2}, [3])


def test_what_an_opaque_value_returns_is_opaque() -> None:
    """A class within a class is found by `getattr`, and then called."""
    made = call(call(name("module", "getattr"), text("x")), number(1))
    for content in (made, made + b"}b", name("module", "Class") + b")}\x92"):
        assert isinstance(_read(pickled(content), _Opaque()), Opaque)


@pytest.mark.parametrize("key", [b")", number(2**61), real(0.5) + b"\x85", b"]"])
def test_keys_that_are_no_names_or_small_numbers_are_skipped(key: bytes) -> None:
    assert _read(pickled(mapping([(key, number(1)), (text("a"), number(2))]))) == {"a": 2}


@pytest.mark.parametrize("protocol", [0, 1])
def test_the_opcodes_of_old_protocols_are_refused(protocol: int) -> None:
    with pytest.raises(UnsupportedCheckpointError, match="of protocol 0 or 1, which is only old"):
        _read(pickle.dumps({"a": 2**70}, protocol))


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_long_log_of_training_is_within_the_budget(protocol: int) -> None:
    log = {f"step {step}": {"loss": step / 7, "epoch": step % 300} for step in range(30_000)}
    assert _read(pickle.dumps(log, protocol)) == log


def test_all_pickles_of_a_file_share_one_budget() -> None:
    stream, budget = BytesIO(pickled(b"}" * 300_000) * 2), Budget(0)
    unpickle(stream, _Words(), "file.pt", budget)
    with pytest.raises(CorruptCheckpointError, match=r"file\.pt: its pickle makes objects of more than 33554432 bytes"):
        unpickle(stream, _Words(), "file.pt", budget)
