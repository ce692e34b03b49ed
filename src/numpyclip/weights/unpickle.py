"""Reading pickles with a closed vocabulary: nothing is imported, nothing is called.

A pickle is a program for a small stack machine. `pickletools` splits it into opcodes; this module runs the
few of them that tensors and plain containers need, on values that cannot act: a class or function that the
pickle names is only ever a `Symbol`, and what the symbols mean is decided by the caller's `Vocabulary`, whose
answers are plain data. The machine of the standard library is not used since even with a closed
`find_class` a few bytes can make it reserve gigabytes (a memo index of four billion).

Every value takes at least one byte of the pickle, so memory stays in proportion to the file.
"""

import pickletools
import struct
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn, Protocol

from numpyclip.errors import CorruptCheckpointError, UnsafeCheckpointError

_KEYS = (str, int, float, bool, type(None))  # hashing a deeply nested tuple would overflow C's stack


@dataclass(frozen=True)
class Symbol:
    """A class or function that a pickle names. It is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, eq=False)
class Bag:
    """An object of a named class: its attributes, and no behaviour."""

    kind: str
    attributes: dict[str, object] = field(default_factory=dict)


class Vocabulary(Protocol):
    """What the symbols of one kind of file mean."""

    def allows(self, symbol: Symbol) -> bool:
        """Whether the file may name this class or function at all."""

    def make(self, symbol: Symbol, arguments: tuple[Any, ...]) -> object:
        """Return the value that calling the symbol stands for."""

    def persistent(self, key: object) -> object:
        """Return what a persistent id (a reference to data outside the pickle) stands for."""


def unpickle(stream: BinaryIO, vocabulary: Vocabulary, where: str) -> object:
    """Read one pickle from the stream and leave the stream behind its end.

    Parameters
    ----------
    stream : file-like
        Must not hand out more than it has (`BytesIO` and `mmap` do not).
    vocabulary : Vocabulary
        The closed list of symbols and their meaning.
    where : str
        Named in error messages.

    Raises
    ------
    UnsafeCheckpointError
        If the pickle names a symbol outside the vocabulary or uses an opcode that no tensor file needs.
    CorruptCheckpointError
        If it is cut short or inconsistent.
    """
    machine = _Machine(vocabulary, where)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                return machine.stack[-1]
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error, MemoryError) as error:
        if isinstance(error, CorruptCheckpointError | UnsafeCheckpointError):
            raise
        raise CorruptCheckpointError(f"{where}: the pickle is damaged or cut short ({error}).") from error
    raise CorruptCheckpointError(f"{where}: the pickle has no end.")


_MARK = object()
_CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "MARK": lambda: _MARK,
}
_LITERALS = frozenset(
    "BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES".split()
)
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING_TO_DO = frozenset(["PROTO", "FRAME"])


class _Machine:
    def __init__(self, vocabulary: Vocabulary, where: str) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, object] = {}
        self._vocabulary = vocabulary
        self._where = where

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            items = self.stack[-count:]
            del self.stack[-count:]
            self.stack.append(tuple(items))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif name not in _NOTHING_TO_DO:
            if name not in _HANDLERS:
                raise UnsafeCheckpointError(
                    f"{self._where}: refused, the pickle uses {name}; only tensors and plain containers are read."
                )
            _HANDLERS[name](self, argument)

    def _above_mark(self) -> list[Any]:
        position = len(self.stack) - 1
        while self.stack[position] is not _MARK:  # an IndexError below the bottom is reported as damage
            position -= 1
        items = self.stack[position + 1 :]
        del self.stack[position:]
        return items

    def _damaged(self, found: str) -> NoReturn:
        raise CorruptCheckpointError(f"{self._where}: the pickle is inconsistent: {found}.")

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self._above_mark()))

    def _setitems(self, _: None) -> None:
        self._store(self._above_mark())

    def _setitem(self, _: None) -> None:
        pair = self.stack[-2:]
        del self.stack[-2:]
        self._store(pair)

    def _store(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            self._damaged("items are set on what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[self._key(key)] = value

    def _key(self, key: object) -> Hashable:
        if not isinstance(key, _KEYS):
            self._damaged(f"a {type(key).__name__} is used as a key")
        return key

    def _appends(self, _: None) -> None:
        self._extend(self._above_mark())

    def _append(self, _: None) -> None:
        self._extend([self.stack.pop()])

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            self._damaged("an item is appended to what is no list")
        self.stack[-1].extend(items)

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(module, str) and isinstance(name, str)):
            self._damaged("a class is named by something other than text")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        symbol = Symbol(module, name)
        if not self._vocabulary.allows(symbol):
            raise UnsafeCheckpointError(
                f"{self._where}: refused, the file asks for {str(symbol)[:200]!r}; only tensors and plain "
                f"containers are read. If you trust it, save its state_dict() alone, best as .safetensors."
            )
        self.stack.append(symbol)

    def _reduce(self, _: None) -> None:
        arguments, symbol = self.stack.pop(), self.stack.pop()
        if not (isinstance(symbol, Symbol) and isinstance(arguments, tuple)):
            self._damaged("something other than a named class is called")
        self.stack.append(self._vocabulary.make(symbol, arguments))

    def _build(self, _: None) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Bag) and isinstance(state, dict):
            target.attributes.update(state)
        elif not isinstance(target, dict):  # OrderedDict: its state is only torch's `_metadata`
            self._damaged(f"state is set on a {type(target).__name__}")

    def _binpersid(self, _: None) -> None:
        self.stack.append(self._vocabulary.persistent(self.stack.pop()))


_HANDLERS: dict[str, Callable[[_Machine, Any], None]] = {
    "TUPLE": _Machine._tuple,
    "SETITEM": _Machine._setitem,
    "SETITEMS": _Machine._setitems,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "NEWOBJ": _Machine._reduce,
    "REDUCE": _Machine._reduce,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._binpersid,
}
