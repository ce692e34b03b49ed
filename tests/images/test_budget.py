"""How much is decoded at once: never more than the budget, and never nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from numpyclip.images.budget import Budget
from numpyclip.images.open import decoded
from tests.picture_files import NOISE, encoded


def test_no_more_is_taken_than_there_is() -> None:
    budget, lock = Budget(100), threading.Lock()
    taken, most = 0, 0

    def work(count: int) -> None:
        nonlocal taken, most
        with budget.take(count):
            with lock:
                taken += min(count, 100)
                most = max(most, taken)
            with lock:
                taken -= min(count, 100)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, [7, 60, 1000, 33, 100, 1] * 50))
    assert taken == 0
    assert most <= 100


def test_one_that_needs_more_than_all_is_alone_and_comes_in_its_turn() -> None:
    budget, order = Budget(10), []
    began = threading.Event()

    def large() -> None:
        began.set()
        with budget.take(11):
            order.append("large")

    def small() -> None:
        with budget.take(1):
            order.append("small")

    with budget.take(1):
        threads = [threading.Thread(target=large)]
        threads[0].start()
        began.wait()
        while len(budget._turn) < 1:  # until it waits
            pass
        threads.append(threading.Thread(target=small))
        threads[1].start()
        while len(budget._turn) < 2:
            pass
        assert order == []
    for thread in threads:
        thread.join()
    assert order == ["large", "small"]


def test_what_fails_gives_back_what_it_has() -> None:
    budget = Budget(10)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"), budget.take(10):
            raise ValueError("no")


def test_a_picture_counts_until_it_is_needed_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(1000)
    monkeypatch.setattr("numpyclip.images.open.PIXELS", budget)
    with decoded(encoded(Image.fromarray(NOISE[:5, :5]), "PNG")) as image:
        assert image.size == (5, 5)
        assert budget._free == 1000 - 8 * 25
    assert budget._free == 1000
