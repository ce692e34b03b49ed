"""How much is decoded at once: never more than the budget, and never nothing."""

import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from PIL import Image

from numpyclip.errors import PictureError
from numpyclip.images.decode_memory import MAX_MEMORY, MemoryLimit
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.formats import identify
from numpyclip.images.open import decoded, file_content, open_picture
from numpyclip.images.preprocess import Preprocess
from tests.picture_files import NOISE, encoded


def test_no_more_is_taken_than_there_is() -> None:
    budget, lock = MemoryLimit(100), threading.Lock()
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
    budget, order = MemoryLimit(10), []
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
    budget = MemoryLimit(10)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"), budget.take(10):
            raise ValueError("no")


def test_a_picture_counts_until_it_is_needed_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = MemoryLimit(1000)
    monkeypatch.setattr("numpyclip.images.open.DECODE_MEMORY", budget)
    with decoded(encoded(Image.fromarray(NOISE[:5, :5]), "PNG")) as image:
        assert image.size == (5, 5)
        assert budget._free == 1000 - 8 * 25
    assert budget._free == 1000


def test_a_file_counts_while_it_is_read_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice: some are read at once before their size in pixels is known, and damaged ones have a repaired copy."""
    files, data = MemoryLimit(10_000), encoded(Image.fromarray(NOISE[:5, :5]), "PNG")
    free: list[int] = []

    def seen(file: IO[bytes]) -> Image.Image:
        free.append(files._free)
        return identify(file)

    monkeypatch.setattr("numpyclip.images.open.FILE_MEMORY", files)
    monkeypatch.setattr("numpyclip.images.open.identify", seen)
    (tmp_path / "a.png").write_bytes(data)
    open_picture(tmp_path / "a.png")
    with file_content(tmp_path / "a.png"):
        free.append(files._free)
    assert free == [10_000 - 2 * len(data)] * 2
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(PictureError):
        open_picture(tmp_path / "a.png")
    assert files._free == 10_000


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="the largest size of a process is known on Linux only")
def test_eight_large_pictures_at_once_take_the_memory_of_one_and_give_it_back() -> None:
    file = io.BytesIO()
    Image.new("RGB", (8000, 8000), (200, 30, 60)).save(file, "WEBP", quality=50, method=0)
    code = """if True:
        import resource, sys
        from concurrent.futures import ThreadPoolExecutor
        from numpyclip.images.preprocess import Preprocess
        data = sys.stdin.buffer.read()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(Preprocess(224).read, [data] * 8))
            print(int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 10)
        print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])  # ru_maxrss counts the parent's
    """
    done = subprocess.run([sys.executable, "-c", code], input=file.getvalue(), capture_output=True, check=True)
    after, most = map(int, done.stdout.split())
    assert most << 10 < MAX_MEMORY * 3 // 2  # what malloc keeps of each thread comes on top
    assert after << 10 < 256 << 20


def test_what_a_line_is_resized_to_counts_and_a_server_refuses_what_is_larger_than_all_threads_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A PNG of 300 bytes, 1 x 65,000, took a gigabyte in each of a server's threads."""
    line, needed = encoded(Image.new("RGB", (1, 500)), "PNG"), 32 * 16_000 * 4
    taken: list[int] = []
    limit = MemoryLimit()

    @contextmanager
    def recorded(count: int) -> Iterator[None]:
        taken.append(count)
        with limit.take(count):
            yield

    monkeypatch.setattr("numpyclip.images.preprocess.RESIZE_MEMORY.take", recorded)
    assert Preprocess(32).read(line, DecodeOptions(max_memory=needed)).shape == (32, 32, 3)
    assert taken == [needed]
    with pytest.raises(PictureError, match=f"is 1 x 500 pixels; it would take {needed} bytes"):
        Preprocess(32).read(line, DecodeOptions(max_memory=needed - 1))
    assert taken == [needed]
