"""The thread pool, and the threads of BLAS.

While chunks run on the pool, BLAS is limited to the calling thread. The pool has as many threads as BLAS would use:
set `OPENBLAS_NUM_THREADS`, or use threadpoolctl around a call.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from numpyclip.runtime.lazy import renew_locks

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_VARIABLES = ("OPENBLAS_NUM", "OMP_NUM", "MKL_NUM", "BLIS_NUM", "VECLIB_MAXIMUM")  # before _THREADS, by library
_T = TypeVar("_T")
_U = TypeVar("_U")


def thread_variables(count: int) -> dict[str, str]:
    """Return the environment variables by which a process that is started has so many threads of BLAS."""
    return {f"{name}_THREADS": str(count) for name in _VARIABLES}


class _Blas:
    """The number of threads of BLAS, a setting of the process that concurrent calls change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._is_taken = False

    def threads(self) -> int:
        """Count the threads that BLAS would use if it were not limited to one."""
        with self._lock:
            return self._threads if self._users else self._count()

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Take all of BLAS's threads, if nobody else computes; yield whether."""
        with self._lock:
            mine = not (self._is_taken or self._users)
            self._is_taken = self._is_taken or mine
        try:
            yield mine
        finally:
            if mine:
                self._is_taken = False

    @contextmanager
    def limited_to_one(self) -> Iterator[None]:
        """Limit BLAS to one thread in each thread that calls it, until the last user leaves."""
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
                    self.restore()

    def restore(self) -> None:
        """Restore the threads of BLAS."""
        _take_control()
        self._limit.restore_original_limits()
        _take_control()  # so that any other thread can

    @property
    def is_limited(self) -> bool:
        """Whether it is limited to one thread."""
        return self._users > 0

    def _count(self) -> int:
        libraries = _controller().select(user_api="blas").lib_controllers
        return max((library.num_threads or 1 for library in libraries), default=1)  # unknown: leave it to BLAS


@cache
def _controller() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController  # a single small input needs none

    return ThreadpoolController()


def _take_control() -> None:
    """Let this thread change limits that another one has set, which newer versions of threadpoolctl refuse."""
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


def _limit_openmp_to_one() -> None:
    """Limit OpenMP, whose setting is thread-local, to one thread in a thread of the pool."""
    for library in _controller().lib_controllers:
        if "openmp" in (library.user_api, getattr(library, "threading_layer", None)):
            library.set_num_threads(1)


_blas = _Blas()


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "numpyclip", _limit_openmp_to_one)


@lru_cache(maxsize=1)
def _second_pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "numpyclip-weights")


def _after_fork() -> None:
    """Replace, in a forked process, the threads and locks of its parent."""
    global _blas
    limited = _blas if _blas.is_limited else None
    _blas = _Blas()
    _pool.cache_clear()
    _second_pool.cache_clear()
    renew_locks()
    if limited is not None:
        limited.restore()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def count() -> int:
    """Count the threads for chunks: as many as BLAS would use."""
    return _blas.threads()


def submit(function: Callable[..., _U], *arguments: Any) -> Future[_U]:
    """Call a function on the pool, or now if there is only one thread."""
    threads = _blas.threads()
    return _submit(_pool(threads), function, *arguments) if threads > 1 else done(function, *arguments)


def _submit(pool: ThreadPoolExecutor, function: Callable[..., _U], *arguments: Any) -> Future[_U]:
    try:
        return pool.submit(function, *arguments)
    except RuntimeError:  # the interpreter is shutting down
        return done(function, *arguments)


def done(function: Callable[..., _U], *arguments: Any) -> Future[_U]:
    """Call a function now."""
    future: Future[_U] = Future()
    try:
        future.set_result(function(*arguments))
    except Exception as error:
        future.set_exception(error)
    return future


def run(tasks: Sequence[Callable[[], None]]) -> None:
    """Run tasks on the pool, or a single one in the caller's thread with BLAS's threads, unless these are in use."""
    with _blas.taken() as alone:
        if alone and len(tasks) == 1:
            tasks[0]()
            return
    if _blas.threads() == 1:
        for task in tasks:
            task()
        return
    with _blas.limited_to_one():
        futures: list[Future[None]] = []
        try:
            futures.extend(submit(task) for task in tasks)
            for future in futures:
                future.result()
        finally:  # after an error or an interrupt
            for future in futures:
                future.cancel()
            wait(futures)


def spread(function: Callable[[_T], object], items: Sequence[_T]) -> None:
    """Call a function with each item, on this thread and a second pool: chunks that wait for this keep theirs busy."""
    count = max(min(_blas.threads(), len(items)), 1)

    def every(first: int) -> None:
        for item in items[first::count]:
            function(item)

    others = [_submit(_second_pool(_blas.threads()), every, first) for first in range(1, count)]
    every(0)
    for other in others:
        other.result()
