import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from numpyclip.errors import InputError
from numpyclip.model import run
from numpyclip.model.run import Once, OnDemand, ahead, batched, by_length, in_chunks


def test_batched_keeps_the_order_and_the_rest() -> None:
    assert list(batched(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batched([], 3)) == []


def test_batched_reads_nothing_ahead() -> None:
    taken = []

    def source() -> Iterator[int]:
        for i in range(10):
            taken.append(i)
            yield i

    batches = batched(source(), 2)
    next(batches)
    assert taken == [0, 1]


@pytest.mark.parametrize("size", [0, -1, 2.5, "4", None, 10**30])
def test_batched_refuses_what_is_no_size(size: Any) -> None:
    with pytest.raises(InputError, match="batch_size is"):
        list(batched([1], size))


def test_batched_refuses_what_cannot_be_iterated() -> None:
    with pytest.raises(InputError, match="got 5; expected a list"):
        list(batched(5, 1))  # type: ignore[arg-type]


@pytest.fixture
def two_threads() -> Iterator[None]:
    """As many threads for BLAS, whatever the machine and its settings."""
    with threadpool_limits(2, "blas"):
        yield


def blas_threads() -> int:
    return max(int(library["num_threads"]) for library in threadpool_info() if library["user_api"] == "blas")


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 33])
@pytest.mark.parametrize("columns", [1, 50, 600])
def test_in_chunks_gives_every_input_its_row(n: int, columns: int) -> None:
    def tower(x: np.ndarray) -> np.ndarray:
        return np.stack([x, -x], axis=1).astype(np.float32)

    inputs = np.arange(n, dtype=np.float32)
    result = in_chunks(tower, inputs, columns, 2)
    np.testing.assert_array_equal(result, np.stack([inputs, -inputs], axis=1).reshape(n, 2))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("n", "columns", "sizes"),
    [
        (1, 577, [1]),
        (3, 50, [3]),  # not worth two threads
        (4, 50, [2, 2]),
        (16, 50, [8, 8]),
        (17, 50, [4, 4, 4, 5]),
        (4, 577, [1, 1, 1, 1]),
        (3, 197, [1, 2]),
    ],
)
def test_chunks_are_of_like_size_and_keep_both_threads_busy(n: int, columns: int, sizes: list[int]) -> None:
    assert [len(range(n)[chunk]) for chunk in run._cut(n, columns, 400)] == sizes


@pytest.mark.usefixtures("two_threads")
def test_blas_is_held_to_one_thread_while_chunks_run_and_let_go_after() -> None:
    seen = []

    def tower(x: np.ndarray) -> np.ndarray:
        seen.append((blas_threads(), threading.current_thread().name.startswith("numpyclip")))
        return np.zeros((len(x), 1), np.float32)

    in_chunks(tower, np.zeros(8), 100, 1)
    assert set(seen) == {(1, True)}
    assert blas_threads() == 2
    seen.clear()
    in_chunks(tower, np.zeros(1), 100, 1)
    assert seen == [(2, False)]  # a single small input has all of BLAS's threads


def test_where_blas_has_one_thread_the_caller_does_all() -> None:
    names = set()

    def tower(x: np.ndarray) -> np.ndarray:
        names.add(threading.current_thread().name)
        return np.zeros((len(x), 1), np.float32)

    with threadpool_limits(1, "blas"):
        in_chunks(tower, np.zeros(8), 400, 1)
    assert names == {threading.current_thread().name}


@pytest.mark.usefixtures("two_threads")
def test_callers_with_threads_of_their_own_share_ours() -> None:
    """Four callers, also with inputs too small to cut: never more than two threads are at work."""
    lock, start = threading.Lock(), threading.Barrier(4)
    at_work, most = 0, 0

    def tower(x: np.ndarray) -> np.ndarray:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        np.linalg.svd(np.ones((60, 60)))
        with lock:
            at_work -= 1
        return np.zeros((len(x), 1), np.float32)

    def caller(n: int) -> None:
        start.wait()
        for _ in range(5):
            in_chunks(tower, np.zeros(n), 400, 1)

    with ThreadPoolExecutor(4) as callers:
        list(callers.map(caller, [8, 1, 1, 8]))
        assert blas_threads() == 2  # while the callers' threads are still there
        with threadpool_limits(1, "blas"):
            assert blas_threads() == 1
    assert most <= 3  # at the change from all of BLAS's threads for one, to one for each
    assert blas_threads() == 2


def test_a_limit_that_another_thread_has_set_does_not_stop_ours() -> None:
    seen = []

    def tower(x: np.ndarray) -> np.ndarray:
        seen.append(blas_threads())
        return np.zeros((len(x), 1), np.float32)

    with threadpool_limits(2, "blas"), ThreadPoolExecutor(1) as other:
        other.submit(in_chunks, tower, np.zeros(8), 400, 1).result()
        assert blas_threads() == 2
    assert set(seen) == {1}


@pytest.mark.usefixtures("two_threads")
def test_at_the_end_of_the_interpreter_the_caller_does_the_work() -> None:
    code = (
        "import atexit, numpy as np; from numpyclip.model import run; from threadpoolctl import threadpool_limits\n"
        "threadpool_limits(2, 'blas')\n"
        "tower = lambda x: np.ones((len(x), 1), np.float32)\n"
        "atexit.register(lambda: print(run.in_chunks(tower, np.zeros(8), 400, 1).sum()))\n"
        "run.in_chunks(tower, np.zeros(8), 400, 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("8.0\n", "")


@pytest.mark.usefixtures("two_threads")
def test_an_error_in_a_chunk_reaches_the_caller_and_lets_go_of_blas() -> None:
    def tower(x: np.ndarray) -> np.ndarray:
        raise MemoryError("no more")

    with pytest.raises(MemoryError, match="no more"):
        in_chunks(tower, np.zeros(8), 400, 1)
    assert blas_threads() == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.usefixtures("two_threads")
def test_a_forked_process_has_threads_of_its_own() -> None:
    def tower(x: np.ndarray) -> np.ndarray:
        return np.ones((len(x), 1), np.float32)

    in_chunks(tower, np.zeros(8), 400, 1)  # the parent's threads exist
    child = os.fork()
    if child == 0:
        os._exit(0 if in_chunks(tower, np.zeros(8), 400, 1).sum() == 8 else 1)
    assert os.waitpid(child, 0)[1] == 0


def to_highest(ids: NDArray[np.integer]) -> NDArray[np.integer]:
    lengths: NDArray[np.integer] = ids.argmax(axis=1) + 1
    return lengths


def test_by_length_gives_every_text_its_row_and_computes_it_once_and_no_further_than_its_end() -> None:
    seen = []

    def tower(ids: np.ndarray) -> np.ndarray:
        seen.extend(ids.tolist())
        return np.stack([ids.sum(axis=1), ids.max(axis=1)], axis=1).astype(np.float32)

    ids = np.array([[8, 9, 0, 0], [8, 1, 2, 9], [8, 9, 5, 7], [8, 3, 9, 0]])  # the third has more behind its end
    result = by_length(tower, ids, to_highest, 2)
    assert result.tolist() == [[17, 9], [20, 9], [17, 9], [20, 9]]
    assert seen == [[8, 1, 2, 9], [8, 3, 9, 0], [8, 9, 0, 0]]  # in one chunk, as long as its longest


def text_ids(n: int) -> np.ndarray:
    """One text of 77 tokens, and n - 1 of three; all begin with one and the same."""
    ids = np.zeros((n, 77), np.int32)
    ids[:, 0] = 1
    ids[:, 1] = range(2, n + 2)
    ids[:, 2] = 1000
    ids[0, 2:] = [*range(2, 76), 1000]
    return ids


@pytest.mark.parametrize(
    ("threads", "low_memory", "shapes"),
    [
        # the long one takes a short one along, to have 100 columns; then all of like size
        (2, False, [(2, 77), (188, 3), (110, 3)]),  # 153, 377 and 221 columns
        (4, False, [(2, 77), (94, 3), (94, 3), (94, 3), (16, 3)]),
        (1, True, [(2, 77), (298, 3)]),
    ],
)
def test_texts_are_cut_into_chunks_of_like_columns(
    threads: int, low_memory: bool, shapes: list[tuple[int, int]]
) -> None:
    seen = []

    def tower(x: np.ndarray) -> np.ndarray:
        seen.append(x.shape)
        return np.zeros((len(x), 1), np.float32)

    with threadpool_limits(threads, "blas"):
        by_length(tower, text_ids(300), to_highest, 1, low_memory)
    assert sorted(seen) == sorted(shapes)


def test_no_text_makes_no_chunk() -> None:
    assert by_length(lambda _: np.zeros((0, 1), np.float32), text_ids(1)[:0], to_highest, 1).shape == (0, 1)


def test_once_makes_its_value_once_for_all_threads() -> None:
    made, start = [], threading.Barrier(2)

    def make() -> int:
        with contextlib.suppress(threading.BrokenBarrierError):
            start.wait(0.2)  # a second maker would pass it at once
        made.append(1)
        return len(made)

    once = Once(make)
    threads = [threading.Thread(target=once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert once() == 1
    assert pickle.loads(pickle.dumps(once))() == 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_ahead_keeps_the_order(threads: int, n: int) -> None:
    with threadpool_limits(threads, "blas"):
        assert list(ahead(lambda x: 2 * x, range(n), 3)) == [2 * x for x in range(n)]


@pytest.mark.usefixtures("two_threads")
def test_ahead_reads_so_far_and_no_further() -> None:
    taken = []

    def source() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    items = ahead(lambda x: x, source(), 5)
    assert next(items) == 0
    assert taken == [0]  # it may be the only one
    assert next(items) == 1
    assert len(taken) == 7
    items.close()  # type: ignore[attr-defined]
    assert len(taken) == 7


@pytest.mark.usefixtures("two_threads")
def test_ahead_stops_what_nobody_wants_any_more() -> None:
    called, gate = [], threading.Event()

    def slow(x: int) -> int:
        gate.wait(10)
        called.append(x)
        return x

    def quick_at_first(x: int) -> int:
        return x if x < 2 else slow(x)

    items = ahead(quick_at_first, range(100), 20)
    assert [next(items), next(items)] == [0, 1]
    items.close()  # type: ignore[attr-defined]
    gate.set()
    list(run._pool(2).map(abs, range(4)))  # behind all that was not cancelled
    assert len(called) <= 4


@pytest.mark.usefixtures("two_threads")
def test_ahead_leaves_some_items_to_the_caller() -> None:
    names = [*ahead(lambda _: threading.current_thread().name, range(9), 3, by_caller=lambda i: i % 2 == 1)]
    caller = threading.current_thread().name
    assert [name == caller for name in names] == [True, True, False, True, False, True, False, True, False]


@pytest.mark.usefixtures("two_threads")
def test_ahead_raises_an_error_at_its_place() -> None:
    items = ahead(lambda x: 1 // x, [2, 1, 0, 3], 2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(items)


class Item:
    pass


def test_an_item_on_demand_lives_while_it_is_used_and_is_shared() -> None:
    made: list[int] = []

    def make(i: int) -> Item:
        made.append(i)
        return Item()

    items = OnDemand([partial(make, i) for i in range(3)])
    assert len(items) == 3
    first = items[0]
    assert items[0] is first
    assert made == [0]
    del first
    items[0]
    assert made == [0, 0]
    assert len(items[1:]) == 2
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

    items = OnDemand([partial(make, i) for i in range(2)])

    def use(_: int) -> list[Item]:
        return [items[0], items[1]]

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(use, range(2))
    assert made == [0, 1]  # each once, for both
    assert first == second
    assert not items._ahead  # nothing is kept for good


def test_items_on_demand_can_be_sent_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(OnDemand([Item])))
    assert isinstance(copy[0], Item)
