"""Who computes: ours, BLAS's and the caller's threads."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from numpyclip.runtime import threads
from numpyclip.runtime.chunks import in_chunks


def blas_threads() -> int:
    return max(int(library["num_threads"]) for library in threadpool_info() if library["user_api"] == "blas")


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
        "import atexit, numpy as np; from numpyclip.runtime.chunks import in_chunks\n"
        "from threadpoolctl import threadpool_limits\n"
        "threadpool_limits(2, 'blas')\n"
        "tower = lambda x: np.ones((len(x), 1), np.float32)\n"
        "atexit.register(lambda: print(in_chunks(tower, np.zeros(8), 400, 1).sum()))\n"
        "in_chunks(tower, np.zeros(8), 400, 1)"
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


def test_a_process_that_is_forked_while_blas_is_limited_has_all_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_blas", threads._Blas())
    expected = threads.count()
    with threads._blas.limited_to_one():
        assert threads._blas._count() == 1
        threads._after_fork()  # as if in the child
        assert not threads._blas.is_limited
        assert threads._blas._count() == expected
    threads._after_fork()
    assert threads.count() == expected


@pytest.mark.parametrize(("found", "expected"), [([2, 4, None], 4), ([1], 1), ([None], 1), ([], 1)])
def test_of_several_libraries_the_one_with_most_threads_counts(
    monkeypatch: pytest.MonkeyPatch, found: list[int | None], expected: int
) -> None:
    libraries = SimpleNamespace(lib_controllers=[SimpleNamespace(num_threads=number) for number in found])
    monkeypatch.setattr(threads, "_controller", lambda: SimpleNamespace(select=lambda user_api: libraries))
    assert threads._Blas().threads() == expected


@pytest.mark.usefixtures("two_threads")
def test_parts_are_spread_over_the_caller_and_another_thread() -> None:
    meet = threading.Barrier(2)
    names: dict[int, str] = {}

    def note(item: int) -> None:
        if item < 2:
            meet.wait(20)  # both are at work at the same time
        names[item] = threading.current_thread().name

    threads.spread(note, range(5))
    assert sorted(names) == list(range(5))
    assert names[0] == threading.current_thread().name != names[1]
    threads.spread(note, [])
    with pytest.raises(ZeroDivisionError):
        threads.spread(lambda item: 1 // (item - 1), [0, 1, 2])


@pytest.mark.usefixtures("two_threads")
def test_chunks_that_use_all_threads_can_still_spread_parts() -> None:
    done: list[int] = []

    def tower(x: np.ndarray) -> np.ndarray:
        threads.spread(done.append, [1, 2])
        return np.zeros((len(x), 1), np.float32)

    in_chunks(tower, np.zeros(8), 100, 1)
    assert sorted(done) == [1, 1, 2, 2]
