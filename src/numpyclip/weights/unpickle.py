"""Reading pickles by an allowlist: nothing is imported, nothing is called.

A pickle is a program for a small stack machine. This module runs the few opcodes that tensors and plain containers need
(`pickletools` knows how their arguments are written), on values that cannot act: a class or function that the pickle
names is only ever a `Symbol`, two strings, and the caller's `Vocabulary` decides which plain data it becomes: mostly an
`Opaque` value, which only remembers what it is called. The standard library's machine is not used: even with a
`find_class` that refuses everything, a few bytes can make it reserve gigabytes (a memo index of four billion).

No opcode copies or traverses a value, and each is charged to a budget of memory, so that time and memory stay in
proportion to the file. For the same reason, nothing may print or compare the contents of a pickle: ten bytes can double
a tuple of tuples, thirty times over.
"""

import pickletools
import struct
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from sys import getsizeof
from typing import Any, NoReturn, Protocol

from numpyclip.errors import (
    CheckpointError,
    CorruptCheckpointError,
    UnsafeCheckpointError,
    UnsupportedCheckpointError,
)
from numpyclip.weights.budget import Budget

_KEYS = (str, int, float, bool, type(None))  # hashing a deeply nested tuple would overflow C's stack
_MAX_CLASS = 1000  # characters of a class's name; messages repeat it
_COST = 56  # bytes of an object and of its place, without its content: more than the mean of any opcodes
_MAX_KEY = 2**60  # Python's hashes of larger numbers can be made to collide, thousands at one place


@dataclass(frozen=True)
class Symbol:
    """A class or function that a pickle names. It is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class ScriptObject:
    """An object of a named class: its attributes, and no behavior."""

    kind: Symbol
    attributes: dict[str, object] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Opaque:
    """A value of a class that has no meaning here.

    The arguments of its class are dropped, and so are the items of a list or a set. Those of a dict are kept, and so is
    its state: weights may be among them.
    """

    kind: Symbol
    items: dict[Hashable, object] | None = None
    state: object = None


class Vocabulary(Protocol):
    """The allowlist of symbols, and their meaning."""

    def allows(self, symbol: Symbol) -> bool:
        """Tell whether the file may name this class or function."""

    def make(self, symbol: Symbol, arguments: tuple[Any, ...]) -> object:
        """Return the value of a call of the symbol."""

    def persistent(self, key: object) -> object:
        """Return the value of a persistent id, a reference to data outside the pickle."""


class Stream(Protocol):
    """A stream that allocates no more than it has (such as `BytesIO` and `mmap`)."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, fewer at the end."""

    def readline(self) -> bytes:
        """Return the bytes up to the next line feed, and it."""


def unpickle(stream: Stream, vocabulary: Vocabulary, where: str, budget: Budget) -> object:
    """Read one pickle from a stream, up to its end; `where` begins error messages.

    Raises
    ------
    UnsafeCheckpointError
        If the pickle names a symbol outside the vocabulary or uses an opcode that no tensor file needs.
    CorruptCheckpointError
        If it is cut short or inconsistent, or spends the budget.
    """
    machine = _Machine(vocabulary, where)
    try:
        while (code := stream.read(1)) != _STOP:
            read_argument, step = _STEPS.get(code) or _refuse(code, where)
            argument = read_argument(stream) if read_argument else None
            budget.left -= _COST + getsizeof(argument)
            if budget.left < 0:
                budget.refuse(where)
            step(machine, argument)
        return machine.pop()
    except CheckpointError:
        raise
    except (ValueError, IndexError, KeyError, OverflowError, struct.error) as error:
        raise CorruptCheckpointError(f"{where}: the pickle is damaged or cut short ({error}).") from error


def _refuse(code: bytes, where: str) -> NoReturn:
    if code in _BY_CODE and _BY_CODE[code].name in _OF_OLD_PROTOCOLS:
        raise UnsupportedCheckpointError(
            f"{where}: the pickle is of protocol 0 or 1, which is only old. Save it again with protocol 2, the default "
            "of torch.save, or later."
        )
    if code in _BY_CODE:
        raise UnsafeCheckpointError(
            f"{where}: refused, the pickle uses {_BY_CODE[code].name}; only tensors and plain containers are read."
        )
    found = f"{code!r} is no opcode" if code else "it has no end"
    raise CorruptCheckpointError(f"{where}: the pickle is damaged or cut short ({found}).")


def _read_names(stream: Stream) -> tuple[str, str]:
    """Read the argument of GLOBAL; the reader of `pickletools` would look for escapes, and warn of them."""
    return _read_line(stream), _read_line(stream)


def _read_line(stream: Stream) -> str:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ValueError("a line has no end")
    return line[:-1].decode("utf-8")


_STOP = b"."
_BY_CODE = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_MARK = object()


class _Machine:
    def __init__(self, vocabulary: Vocabulary, where: str) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, object] = {}
        self._vocabulary = vocabulary
        self._where = where

    def put(self, index: int | None) -> None:
        """Keep the topmost value, under the next number if none is given."""
        self._memo[len(self._memo) if index is None else index] = self.stack[-1]

    def get(self, index: int) -> None:
        """Take a value that was kept."""
        self.stack.append(self._memo[index])

    def pop(self) -> Any:
        """Take the topmost value, which must not be a mark."""
        value = self.stack.pop()  # an IndexError below the bottom is reported as damage
        if value is _MARK:
            self._damaged("a value is missing")
        return value

    def _above_mark(self) -> list[Any]:
        items = []
        while (value := self.stack.pop()) is not _MARK:
            items.append(value)
        return items[::-1]

    def _freeze(self) -> None:
        self._above_mark()
        self.stack.append(Opaque(_SET))

    def _drop(self) -> None:
        self.stack.pop()

    def _drop_to_mark(self) -> None:
        self._above_mark()

    def _damaged(self, found: str) -> NoReturn:
        raise CorruptCheckpointError(f"{self._where}: the pickle is inconsistent: {found}.")

    def _store(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict | Opaque) or len(items) % 2:
            self._damaged("items are set on what is no dict")
        if isinstance(target, Opaque):
            target.items = made = {} if target.items is None else target.items
        else:
            made = target
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, _KEYS) and not (isinstance(key, int) and abs(key) > _MAX_KEY):
                made[key] = value

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list | Opaque):
            self._damaged("an item is appended to what is no list")
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def _add(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], Opaque):
            self._damaged(f"{len(items)} items are added to what is no set")

    def _stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(module, str) and isinstance(name, str)):
            self._damaged("a class is named by something other than a string")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        if len(module) + len(name) > _MAX_CLASS:
            self._damaged(f"the name of a class has {len(module) + len(name)} characters")
        symbol = Symbol(module, name)
        if not self._vocabulary.allows(symbol):
            raise UnsafeCheckpointError(
                f"{self._where}: refused, the file asks for {str(symbol)!r:.200}; only tensors and plain "
                f"containers are read. If you trust it, save its state_dict() alone, best as .safetensors."
            )
        self.stack.append(symbol)

    def _reduce(self) -> None:
        arguments, called = self.pop(), self.pop()
        if isinstance(called, Symbol) and isinstance(arguments, tuple):
            self.stack.append(self._vocabulary.make(called, arguments))
        elif isinstance(called, Opaque) and isinstance(arguments, tuple):  # a class within a class, say
            self.stack.append(Opaque(called.kind))
        else:
            self._damaged("something other than a named class is called")

    def _new(self) -> None:
        if not isinstance(self.pop(), dict):  # the named arguments
            self._damaged("a class is called with names that are no dict")
        self._reduce()

    def _build(self) -> None:
        state, target = self.pop(), self.stack[-1]
        if isinstance(target, ScriptObject) and isinstance(state, dict):
            target.attributes = state  # no copy: many objects can share one long dict
        elif isinstance(target, Opaque):
            target.state = state  # no copy either
        elif not isinstance(target, dict):  # OrderedDict: its state is only torch's `_metadata`
            self._damaged(f"state is set on a {type(target).__name__}")

    def _persistent(self) -> None:
        self.stack.append(self._vocabulary.persistent(self.pop()))


_Step = Callable[[_Machine, Any], None]


def _constant(make: Callable[[], object]) -> _Step:
    return lambda machine, _: machine.stack.append(make())


_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
# What only these write for plain values; later protocols have shorter ones.
_OF_OLD_PROTOCOLS = ("PUT", "GET", "INT", "LONG", "FLOAT", "STRING", "UNICODE", "DICT", "LIST")
_SET = Symbol("builtins", "set")
_ALLOWED: dict[str, _Step] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, _: None),
    **dict.fromkeys(_LITERALS, lambda machine, value: machine.stack.append(value)),
    "NONE": _constant(lambda: None),
    "NEWTRUE": _constant(lambda: True),
    "NEWFALSE": _constant(lambda: False),
    "MARK": _constant(lambda: _MARK),
    "EMPTY_TUPLE": _constant(tuple),
    "EMPTY_LIST": _constant(list),
    "EMPTY_DICT": _constant(dict),
    "EMPTY_SET": _constant(lambda: Opaque(_SET)),
    "TUPLE1": lambda machine, _: machine.stack.append((machine.pop(),)),
    "TUPLE2": lambda machine, _: machine.stack.append((machine.pop(), machine.pop())[::-1]),
    "TUPLE3": lambda machine, _: machine.stack.append((machine.pop(), machine.pop(), machine.pop())[::-1]),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine._above_mark())),
    "SETITEM": lambda machine, _: machine._store([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine._store(machine._above_mark()),
    "APPEND": lambda machine, _: machine._extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine._extend(machine._above_mark()),
    "ADDITEMS": lambda machine, _: machine._add(machine._above_mark()),
    "FROZENSET": lambda machine, _: machine._freeze(),
    "POP": lambda machine, _: machine._drop(),
    "POP_MARK": lambda machine, _: machine._drop_to_mark(),
    "GLOBAL": lambda machine, names: machine._name(*names),
    "STACK_GLOBAL": lambda machine, _: machine._stack_global(),
    "NEWOBJ": lambda machine, _: machine._reduce(),
    "NEWOBJ_EX": lambda machine, _: machine._new(),
    "REDUCE": lambda machine, _: machine._reduce(),
    "BUILD": lambda machine, _: machine._build(),
    "BINPERSID": lambda machine, _: machine._persistent(),
}


def _reader(opcode: pickletools.OpcodeInfo) -> Callable[[Any], Any] | None:
    if opcode.name == "GLOBAL":
        return _read_names
    return opcode.arg.reader if opcode.arg else None


_STEPS = {
    code: (_reader(opcode), _ALLOWED[opcode.name]) for code, opcode in _BY_CODE.items() if opcode.name in _ALLOWED
}
