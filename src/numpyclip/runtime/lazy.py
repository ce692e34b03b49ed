"""Thread-safe lazy evaluation: of a value, or of the items of a sequence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from weakref import WeakSet, WeakValueDictionary

_T = TypeVar("_T")


class Guarded:
    """An object with a lock, which is replaced after a fork: the thread that held it does not exist there."""

    def __init__(self) -> None:
        self.renew_lock()
        _guarded.add(self)

    def renew_lock(self) -> None:
        """Replace the lock."""
        self._lock = threading.Lock()


_guarded: WeakSet[Guarded] = WeakSet()


class Lazy(Guarded, Generic[_T]):
    """A value that is made at the first call, once for all threads.

    Pickling makes it, unless it is `deferred`: then `make` is pickled instead.
    """

    def __init__(self, make: Callable[[], _T], deferred: bool = False) -> None:
        super().__init__()
        self._make: Callable[[], _T] | None = make
        self._deferred = deferred

    def __call__(self) -> _T:
        """Return the value."""
        with self._lock:
            if self._make is not None:
                self._value = self._make()
                self._make = None
        return self._value

    def __reduce__(self) -> tuple[object, ...]:
        if self._deferred and self._make is not None:
            return Lazy, (self._make, True)
        return _made, (self(),)


def _made(value: _T) -> Lazy[_T]:
    return Lazy(lambda: value)


class LazySequence(Guarded, Sequence[_T]):
    """A sequence whose items are made at look-up, and kept only while some thread uses them.

    Concurrent chunks look up the same items at about the same time: the first makes one for all, and the second makes
    the next one instead of waiting.
    """

    def __init__(self, makers: Sequence[Callable[[], _T]]) -> None:
        self._makers = makers
        self._alive: WeakValueDictionary[int, _T] = WeakValueDictionary()
        self._ahead: dict[int, _T] = {}  # keeps an item alive until it is looked up
        super().__init__()

    def renew_lock(self) -> None:  # noqa: D102 - as above
        self._locks = [threading.Lock() for _ in self._makers]

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, index: int) -> _T:  # type: ignore[override]  # no slices
        if self._locks[index].locked() and index + 1 < len(self):
            self._ahead[index + 1] = self._make(index + 1)
        item = self._make(index)
        self._ahead.pop(index, None)
        return item

    def _make(self, index: int) -> _T:
        with self._locks[index]:
            item = self._alive.get(index)
            if item is None:
                item = self._alive[index] = self._makers[index]()
            return item

    def __reduce__(self) -> tuple[object, ...]:
        return LazySequence, (self._makers,)


def renew_locks() -> None:
    """Replace all locks in a forked process, as the threads of its parent may have held them."""
    for owner in _guarded:
        owner.renew_lock()
