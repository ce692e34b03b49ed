"""What is made once, for all threads and processes."""

import contextlib
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from numpyclip.runtime.lazy import Lazy, LazySequence


def test_once_makes_its_value_once_for_all_threads() -> None:
    made, start = [], threading.Barrier(2)

    def make() -> int:
        with contextlib.suppress(threading.BrokenBarrierError):
            start.wait(0.2)  # a second maker would pass it at once
        made.append(1)
        return len(made)

    once = Lazy(make)
    threads = [threading.Thread(target=once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert once() == 1
    assert pickle.loads(pickle.dumps(once))() == 1


class Item:
    pass


def test_an_item_on_demand_lives_while_it_is_used_and_is_shared() -> None:
    made: list[int] = []

    def make(i: int) -> Item:
        made.append(i)
        return Item()

    items = LazySequence([partial(make, i) for i in range(3)])
    assert len(items) == 3
    first = items[0]
    assert items[0] is first
    assert made == [0]
    del first
    items[0]
    assert made == [0, 0]
    with pytest.raises(IndexError):
        items[3]


def test_a_thread_that_would_wait_for_an_item_makes_the_next_one() -> None:
    next_is_made = threading.Event()
    made = []

    def make(index: int) -> Item:
        made.append(index)
        if index == 0:
            assert next_is_made.wait(20), "the second thread waited idly"
        else:
            next_is_made.set()
        return Item()

    items = LazySequence([partial(make, i) for i in range(2)])

    def use(_: int) -> list[Item]:
        return [items[0], items[1]]

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(use, range(2))
    assert made == [0, 1]  # each once, for both
    assert first == second
    assert not items._ahead  # nothing is kept for good


def test_items_on_demand_can_be_sent_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(LazySequence([Item])))
    assert isinstance(copy[0], Item)
