"""How many inputs are cut into chunks, computed on threads, and put together again: all that knows about threads.

A chunk runs through a whole tower on one thread, with BLAS held to that thread: chunks never wait for each other, as
BLAS's own threads do at every product, and its activations stay in the cache. An input too small to cut uses BLAS's
threads instead. There are never more threads than BLAS would use, however many threads the caller has:
`OPENBLAS_NUM_THREADS`, or threadpoolctl around a call, says how many.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload
from weakref import WeakSet, WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.model.ops import Array

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_T = TypeVar("_T")
_U = TypeVar("_U")

# Columns of a chunk: tokens, or what costs as much. What lies between the products of so many stays in the cache, and
# texts begin alike only in small groups. Two threads with less than 100 columns each are slower than BLAS's own on all.
_IMAGE_COLUMNS = 800
_TEXT_COLUMNS = 400
_LOW_MEMORY_COLUMNS = 1600  # of either, where every chunk makes the weights of each block anew
_LEAST_COLUMNS = 100


def batched(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut any iterable into lists of `size` items; the last may be shorter. Nothing is read ahead."""
    if not (isinstance(size, int) and 1 <= size <= sys.maxsize):
        raise InputError(f"batch_size is {size!r:.60}; expected a whole number of 1 or more.")
    try:
        iterator = iter(items)
    except TypeError as error:
        raise InputError(f"got {items!r:.60}; expected a list, or anything else to iterate over.") from error
    while batch := list(islice(iterator, size)):
        yield batch


def in_chunks(
    tower: Callable[[Any], Array], inputs: NDArray[Any], columns: int, embed_dim: int, low_memory: bool = False
) -> Array:
    """Apply a tower to an array of any length, (n, ...) -> (n, e); each input has so many columns."""
    most = _LOW_MEMORY_COLUMNS if low_memory else _IMAGE_COLUMNS
    embeddings = np.empty((len(inputs), embed_dim), np.float32)

    def compute(rows: slice) -> None:
        embeddings[rows] = tower(inputs[rows])

    _run([partial(compute, rows) for rows in _cut(len(inputs), columns, most)])
    return embeddings


def by_length(
    tower: Callable[[Any], Array],
    ids: NDArray[np.integer],
    lengths_of: Callable[[NDArray[np.integer]], NDArray[np.integer]],
    embed_dim: int,
    low_memory: bool = False,
    pad_id: int = 0,
) -> Array:
    """Apply a text tower to rows of ids, (n, tokens) -> (n, e), each text once and no further than its length.

    Where no token looks ahead, the padding behind the end mark, nine tenths of a short prompt, changes nothing.
    Texts of like length go together, the longest first, and those that begin alike are neighbours: the tower
    computes once what all texts of a chunk begin with.
    """
    most = _LOW_MEMORY_COLUMNS if low_memory else _TEXT_COLUMNS
    texts = np.where(np.arange(ids.shape[1]) < lengths_of(ids)[:, np.newaxis], ids, pad_id)
    rows, copies = np.unique(texts, axis=0, return_inverse=True)  # sorted: like beginnings come together
    lengths = lengths_of(rows)
    order = np.argsort(-lengths, kind="stable")
    embeddings = np.empty((len(rows), embed_dim), np.float32)

    def compute(part: NDArray[np.integer]) -> None:
        embeddings[part] = tower(rows[part, : lengths[part[0]]])

    chunks = _cut_texts(rows[order], lengths[order], most)
    _run([partial(compute, order[chunk]) for chunk in chunks])
    every: Array = embeddings[copies.reshape(-1)]
    return every


def _cut(n: int, columns: int, most: int) -> list[slice]:
    """Cut n inputs into chunks of like size, of at most so many columns or one input, which keep all threads busy."""
    total = n * columns
    if total < 2 * _LEAST_COLUMNS or n < 2:
        return [slice(0, n)] if n else []
    rounds = -(-total // (most * _blas.threads()))
    count = min(rounds * _blas.threads(), total // _LEAST_COLUMNS, n)
    ends = [n * (i + 1) // count for i in range(count)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _cut_texts(rows: NDArray[np.integer], lengths: NDArray[np.integer], most: int) -> list[slice]:
    """Cut texts into chunks of at most so many columns or one text, which keep all threads busy.

    A chunk has columns for what its texts begin with once, and for the rest of every text up to the longest.
    """
    alike = np.cumprod(rows[1:] == rows[:-1], axis=1).sum(axis=1).tolist()  # tokens that neighbours begin with
    chunks, columns = _cut_sequence(lengths.tolist(), alike, most)
    if columns < 2 * _LEAST_COLUMNS:
        return chunks
    count = _blas.threads() * -(-columns // (_blas.threads() * most))
    like_size = columns // count + columns // len(rows) + 1  # with room for one more, at which a chunk would end
    chunks, _ = _cut_sequence(lengths.tolist(), alike, max(like_size, _LEAST_COLUMNS))
    return chunks


def _cut_sequence(lengths: list[int], alike: list[int], most: int) -> tuple[list[slice], int]:
    """Take texts one after another as long as their chunk has room; return the chunks, and the columns of all."""
    chunks, columns, start = [], 0, 0
    while start < len(lengths):
        longest = shared = chunk = lengths[start]
        end = start + 1
        while end < len(lengths):
            begin = min(shared, alike[end - 1])
            more = begin + (end + 1 - start) * (longest - begin)
            if more > most or (chunk >= _LEAST_COLUMNS and longest > 2 * lengths[end]):  # half would be padding
                break
            shared, chunk, end = begin, more, end + 1
        chunks.append(slice(start, end))
        columns += chunk
        start = end
    return chunks, columns


def ahead(
    function: Callable[[_T], _U], items: Iterable[_T], depth: int, by_caller: Callable[[_T], bool] = lambda _: False
) -> Iterator[_U]:
    """Apply a function to items on the threads, in order, at most `depth` items ahead of what was asked for.

    The first item, which may be the only one, is the caller's, and so are those that `by_caller` tells.
    """
    iterator = iter(items)
    for item in islice(iterator, 1):
        yield function(item)
    begun: deque[Future[_U]] = deque()
    try:
        for item in iterator:
            begun.append(_done(function, item) if by_caller(item) else _submit(function, item))
            if len(begun) > depth:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:  # where one failed, or no more are wanted
        for future in begun:
            future.cancel()


class _Guarded:
    """Something whose lock a process that was forked has to renew: who held it there is no thread here."""

    def __init__(self) -> None:
        self.renew_lock()
        _guarded.add(self)

    def renew_lock(self) -> None:
        self._lock = threading.Lock()


_guarded: WeakSet[_Guarded] = WeakSet()


class Once(_Guarded, Generic[_T]):
    """A value that is made at the first call, by whichever thread comes first, and never again.

    Pickling makes it, unless it is `deferred`: then what makes it is pickled in its place.
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
            return Once, (self._make, True)
        return _made, (self(),)


def _made(value: _T) -> Once[_T]:
    return Once(lambda: value)


class OnDemand(_Guarded, Sequence[_T]):
    """A sequence whose items are made when they are looked up, and live only while some thread uses them.

    Chunks run side by side, and look up the same items at about the same time: the first makes one for all, and the
    second does not wait idly, but makes the next one.
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

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_T]: ...
    def __getitem__(self, index: int | slice) -> _T | Sequence[_T]:
        if isinstance(index, slice):
            return OnDemand(self._makers[index])
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
        return OnDemand, (self._makers,)


class _Blas:
    """The threads of BLAS, a setting of the whole process, which many calls may want to change at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._is_taken = False

    def threads(self) -> int:
        """Count the threads that BLAS would use if nobody held it to one."""
        with self._lock:
            return self._threads if self._users else self._count()

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Take all of BLAS's threads, if nobody else computes: say whether."""
        with self._lock:
            mine = not (self._is_taken or self._users)
            self._is_taken = self._is_taken or mine
        try:
            yield mine
        finally:
            if mine:
                self._is_taken = False

    @contextmanager
    def held_to_one(self) -> Iterator[None]:
        """Hold BLAS to one thread in each thread that calls it, until the last user leaves."""
        with self._lock:
            if self._users == 0:
                self._threads = self._count()
                _take_control()
                self._limit = _controller().limit(limits=1, user_api="blas")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self.let_go()

    def let_go(self) -> None:
        """Give BLAS back the threads that it had."""
        _take_control()
        self._limit.restore_original_limits()
        _take_control()  # and leave it to the next, whoever that is

    @property
    def is_held(self) -> bool:
        """Whether some call holds it to one thread."""
        return self._users > 0

    def _count(self) -> int:
        libraries = _controller().select(user_api="blas").lib_controllers
        return max((library.num_threads or 1 for library in libraries), default=1)  # unknown: leave all to BLAS


@cache
def _controller() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController  # found when first needed: one small input needs none

    return ThreadpoolController()


def _take_control() -> None:
    """Let this thread change what another one has set: newer versions of threadpoolctl keep the first in control."""
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


def _hold_openmp_to_one() -> None:
    """Hold OpenMP, whose setting is each thread's own, to one thread in a thread of ours."""
    for library in _controller().lib_controllers:
        if "openmp" in (library.user_api, getattr(library, "threading_layer", None)):
            library.set_num_threads(1)


_blas = _Blas()


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "numpyclip", _hold_openmp_to_one)


def _start_over() -> None:
    """Forget, in a process that was forked, the threads and locks of its parent."""
    global _blas
    held = _blas if _blas.is_held else None
    _blas = _Blas()
    _pool.cache_clear()
    for owner in _guarded:
        owner.renew_lock()
    if held is not None:
        held.let_go()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_over)


def _submit(function: Callable[..., _U], *arguments: Any) -> Future[_U]:
    """Have a function called by one of the threads, or by the caller if there is but one thread."""
    threads = _blas.threads()
    if threads > 1:
        try:
            return _pool(threads).submit(function, *arguments)
        except RuntimeError:  # the interpreter is about to end, and starts nothing
            pass
    return _done(function, *arguments)


def _done(function: Callable[..., _U], *arguments: Any) -> Future[_U]:
    """Call a function now."""
    future: Future[_U] = Future()
    try:
        future.set_result(function(*arguments))
    except Exception as error:
        future.set_exception(error)
    return future


def _run(tasks: Sequence[Callable[[], None]]) -> None:
    """Run tasks on the threads; a single one in the caller's with those of BLAS, unless others are at work."""
    with _blas.taken() as alone:
        if alone and len(tasks) == 1:
            tasks[0]()
            return
    if _blas.threads() == 1:
        for task in tasks:
            task()
        return
    with _blas.held_to_one():
        futures: list[Future[None]] = []
        try:
            futures.extend(_submit(task) for task in tasks)
            for future in futures:
                future.result()
        finally:  # where one failed, or the user had enough
            for future in futures:
                future.cancel()
            wait(futures)
