"""Prefetching: the next items are computed on threads while the caller uses the last one."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from itertools import islice
from typing import TypeVar, cast

from numpyclip.runtime.threads import done, submit

_T = TypeVar("_T")
_U = TypeVar("_U")


def prefetch(
    function: Callable[[_T], _U], items: Iterable[_T], depth: int, by_caller: Callable[[_T], bool] = lambda _: False
) -> Iterator[_U]:
    """Apply a function to items on threads, in order, at most `depth` items ahead.

    The caller's thread computes the first item, which may be the only one, and those for which `by_caller` is true.
    """
    iterator = iter(items)
    for item in islice(iterator, 1):
        yield function(item)
    begun: deque[Future[_U]] = deque()
    try:
        for item in iterator:
            begun.append(done(function, item) if by_caller(item) else submit(function, item))
            if len(begun) > depth:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:  # after an error, or if no more are needed
        for future in begun:
            future.cancel()


def read_ahead(items: Iterable[_T]) -> Generator[_T, None, None]:
    """Iterate over items, of which the next one is computed on a thread while the caller uses the last one."""
    iterator, end = iter(items), object()
    begun: Future[object] = submit(next, iterator, end)
    try:
        while (item := begun.result()) is not end:
            begun = submit(next, iterator, end)
            yield cast("_T", item)
    finally:  # after an error, or if no more are needed
        begun.cancel()
        wait([begun])
