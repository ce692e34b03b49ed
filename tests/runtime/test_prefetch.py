import threading
from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

from numpyclip.runtime import threads
from numpyclip.runtime.prefetch import prefetch, read_ahead


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_it_keeps_the_order(count: int, n: int) -> None:
    with threadpool_limits(count, "blas"):
        assert list(prefetch(lambda x: 2 * x, range(n), 3)) == [2 * x for x in range(n)]


@pytest.mark.usefixtures("two_threads")
def test_it_reads_so_far_and_no_further() -> None:
    taken = []

    def source() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    items = prefetch(lambda x: x, source(), 5)
    assert next(items) == 0
    assert taken == [0]  # it may be the only one
    assert next(items) == 1
    assert len(taken) == 7
    items.close()  # type: ignore[attr-defined]
    assert len(taken) == 7


@pytest.mark.usefixtures("two_threads")
def test_it_stops_what_nobody_wants_any_more() -> None:
    called, gate = [], threading.Event()

    def slow(x: int) -> int:
        gate.wait(10)
        called.append(x)
        return x

    def quick_at_first(x: int) -> int:
        return x if x < 2 else slow(x)

    items = prefetch(quick_at_first, range(100), 20)
    assert [next(items), next(items)] == [0, 1]
    items.close()  # type: ignore[attr-defined]
    gate.set()
    list(threads._pool(2).map(abs, range(4)))  # behind all that was not cancelled
    assert len(called) <= 4


@pytest.mark.usefixtures("two_threads")
def test_it_leaves_some_items_to_the_caller() -> None:
    names = [*prefetch(lambda _: threading.current_thread().name, range(9), 3, by_caller=lambda i: i % 2 == 1)]
    caller = threading.current_thread().name
    assert [name == caller for name in names] == [True, True, False, True, False, True, False, True, False]


@pytest.mark.usefixtures("two_threads")
def test_it_raises_an_error_at_its_place() -> None:
    items = prefetch(lambda x: 1 // x, [2, 1, 0, 3], 2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(items)


def test_the_next_item_is_computed_while_the_last_one_is_used() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            asked.append(number)
            yield number

    found = read_ahead(items())
    assert next(found) == 0
    assert list(found) == [1, 2]
    assert list(read_ahead([])) == []
    found = read_ahead(items())
    next(found)
    found.close()  # waits for what is begun
    assert asked[:3] == [0, 1, 2] and len(asked) <= 6


def test_errors_of_items_are_raised_in_their_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    found = read_ahead(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="no more"):
        next(found)
