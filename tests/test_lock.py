"""One holder at a time, of all processes and threads; nothing that stays behind blocks the next one."""

import io
import os
import threading
from pathlib import Path

import pytest

from numpyclip.lock import exclusive


class Terminal(io.StringIO):
    """A stream that tells when something is printed."""

    def __init__(self, is_terminal: bool = True) -> None:
        super().__init__()
        self.is_terminal = is_terminal
        self.printed = threading.Event()

    def isatty(self) -> bool:
        return self.is_terminal

    def write(self, text: str) -> int:
        self.printed.set()
        return super().write(text)


class Waiting(threading.Thread):
    """Somebody else who wants the lock, and waits for it."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.held: list[bool] = []

    def run(self) -> None:
        with exclusive(self.path, message="another process is at it; waiting") as held:
            self.held.append(held)


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal; to be called in the test itself, before which pytest puts its own there."""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    return stream


def test_who_does_not_wait_is_told_that_it_is_held(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock") as held:
        assert held
        with exclusive(tmp_path / "lock", wait=False) as other:
            assert not other
        with exclusive(tmp_path / "another", wait=False) as other:
            assert other
    with exclusive(tmp_path / "lock", wait=False) as held:
        assert held


def test_the_file_goes_with_the_lock_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), exclusive(tmp_path / "lock"):
        assert (tmp_path / "lock").exists()
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_file_that_a_killed_process_left_blocks_nobody(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with exclusive(tmp_path / "lock", wait=False) as held:
        assert held


def test_who_waits_says_so_and_holds_it_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stderr, waiting = terminal(monkeypatch), Waiting(tmp_path / "lock")
    with exclusive(tmp_path / "lock", message="not printed: nobody is in the way"):
        waiting.start()
        assert stderr.printed.wait(30)
        assert not waiting.held
    waiting.join(30)
    assert waiting.held == [True]
    assert stderr.getvalue() == "another process is at it; waiting\n"
    assert not list(tmp_path.iterdir())


def test_nobody_holds_a_file_that_has_lost_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stderr, waiting = terminal(monkeypatch), Waiting(tmp_path / "lock")
    with exclusive(tmp_path / "lock"):
        waiting.start()
        assert stderr.printed.wait(30)
        (tmp_path / "lock").unlink()
        with exclusive(tmp_path / "lock", wait=False) as held:
            assert held
    waiting.join(30)
    assert waiting.held == [True]


@pytest.mark.parametrize("stream", [None, Terminal(is_terminal=False)])
def test_waiting_is_told_in_a_log_as_well_and_stderr_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: Terminal | None
) -> None:
    monkeypatch.setattr("sys.stderr", stream)
    tried = threading.Event()

    def take(file: io.BufferedWriter, wait: bool) -> None:
        if not wait:
            raise BlockingIOError
        tried.set()

    monkeypatch.setattr("numpyclip.lock._take", take)
    with exclusive(tmp_path / "lock", message="waiting") as held:
        assert held
    assert tried.is_set()
    assert stream is None or stream.getvalue() == "waiting\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_was_forked_meanwhile_does_not_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    stderr, waiting = terminal(monkeypatch), Waiting(tmp_path / "lock")
    with exclusive(tmp_path / "lock"):
        child = os.fork()
        if not child:
            os.close(write)
            os.read(read, 1)  # until the other end is closed
            os._exit(0)
        waiting.start()
        assert stderr.printed.wait(30)
    waiting.join(30)
    held = list(waiting.held)
    os.close(write)
    os.waitpid(child, 0)
    assert held == [True]


def test_where_there_are_no_locks_it_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with exclusive(tmp_path / "no" / "lock") as held:
        assert not held

    def refuse(file: object, wait: bool) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("numpyclip.lock._take", refuse)
    with exclusive(tmp_path / "lock") as held:
        assert not held
