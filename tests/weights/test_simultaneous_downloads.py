"""Processes and threads that download the same file."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from numpyclip import atomic
from numpyclip.errors import DownloadError
from numpyclip.lock import exclusive
from tests.weights.downloads import (
    BODY,
    HALF,
    SHA256,
    Terminal,
    child_environment,
    get,
    left_in,
    model_at,
    obtain,
)
from tests.weights.scripted_server import (
    Handler,
    Script,
    answer,
    drop_after,
    proper,
    serving,
    stall_after,
)

CHILD = f"""
import sys
from numpyclip.weights import partial_file
from numpyclip.weights.catalogue import KnownModel
from numpyclip.weights.sources import obtain

append = partial_file.Part.append
def report(part, data):
    append(part, data)
    print("size", part.size, flush=True)
partial_file.Part.append = report

print("ready", flush=True)
obtain(KnownModel("Toy", "toy.pt", {SHA256!r}, (sys.argv[1] + "/toy.pt",)), sys.argv[2], print)
print("done", flush=True)
"""


@contextlib.contextmanager
def child(script: Script, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", CHILD, script.url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=child_environment()) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdout is not None
    assert any(told.strip() == line for told in process.stdout), f"the process ended before {line!r}"


def test_two_processes_fetch_the_file_once(tmp_path: Path) -> None:
    second_is_ready = threading.Event()

    def half_then_rest(handler: Handler) -> None:
        start = handler.start()
        handler.wfile.write(BODY[start:HALF])
        second_is_ready.wait(30)
        handler.wfile.write(BODY[HALF:])

    with serving(BODY, half_then_rest) as script, child(script, tmp_path) as first:
        wait_for(first, f"size {HALF}")
        with child(script, tmp_path) as second:
            wait_for(second, "ready")
            second_is_ready.set()
            wait_for(first, "done")
            wait_for(second, "done")
    assert script.ranges == [None]
    assert (tmp_path / "toy.pt").read_bytes() == BODY
    assert left_in(tmp_path) == {"toy.pt", "toy.pt.verified"}


def test_killed_process_blocks_nobody_and_its_part_is_continued(tmp_path: Path) -> None:
    with serving(BODY, stall_after(HALF), proper) as script:
        with child(script, tmp_path) as process:
            wait_for(process, f"size {HALF}")
            process.kill()
            process.wait()
        assert left_in(tmp_path) == {"toy.pt.part", "toy.pt.lock"}
        obtain(model_at(script), tmp_path)
    assert script.ranges == [None, f"bytes={HALF}-"]
    assert left_in(tmp_path) == {"toy.pt", "toy.pt.verified"}


def test_many_threads_fetch_the_file_once(tmp_path: Path) -> None:
    results: list[Path] = []
    with serving(BODY) as script:
        threads = [
            threading.Thread(target=lambda: results.append(obtain(model_at(script), tmp_path))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [tmp_path / "toy.pt"] * 8
    assert script.ranges == [None]


def test_without_locks_each_writes_its_own_part_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def never_alone(_: Path, message: str = "") -> Iterator[bool]:
        yield False

    monkeypatch.setattr(atomic, "exclusive", never_alone)
    (tmp_path / "toy.pt.part").write_bytes(b"of another process")
    with serving(BODY, drop_after(HALF), answer(410), proper) as script:
        with pytest.raises(DownloadError) as caught:
            obtain(model_at(script), tmp_path)
        assert "are kept" not in str(caught.value)
        assert left_in(tmp_path) == {"toy.pt.part"}
        obtain(model_at(script), tmp_path)
    assert script.ranges == [None, f"bytes={HALF}-", None]
    assert (tmp_path / "toy.pt.part").read_bytes() == b"of another process"


def test_who_waits_for_another_is_told_and_then_finds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    waiting = threading.Thread(target=obtain, args=(model_at(), tmp_path))  # no address: it can only find
    with exclusive(tmp_path / "toy.pt.lock"):
        waiting.start()
        assert terminal.written.wait(30)
        (tmp_path / "toy.pt").write_bytes(BODY)
    waiting.join()
    assert terminal.getvalue() == "toy.pt: another process is downloading it; waiting for it\n"
    assert left_in(tmp_path) == {"toy.pt", "toy.pt.verified"}


def test_lock_that_was_waited_for_keeps_the_next_one_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    lock = tmp_path / "toy.pt.lock"
    there: list[bool] = []

    def wait() -> None:
        with exclusive(lock, message="waiting") as alone:
            there.append(alone and lock.exists())  # not the file that the holder before has removed

    waiting = threading.Thread(target=wait)
    with exclusive(lock):
        waiting.start()
        assert terminal.written.wait(30)
    waiting.join()
    assert there == [True]


def test_lock_that_is_left_over_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "toy.pt.lock").write_bytes(b"")
    get(tmp_path)


def test_lock_that_cannot_be_had_does_not_stop_the_download(tmp_path: Path) -> None:
    (tmp_path / "toy.pt.lock").mkdir()
    with serving(BODY) as script:
        obtain(model_at(script), tmp_path)
    assert left_in(tmp_path) == {"toy.pt", "toy.pt.verified", "toy.pt.lock"}
