"""The supervisor with workers that hang, or cannot be started."""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import NumPyCLIPError
from numpyclip.server.processes import supervisor
from numpyclip.server.processes.supervisor import Supervisor

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no workers")

WORKER = """
import os, signal, sys
sys.path[:] = {path!r}
from numpyclip.server.processes.worker_process import Worker
worker = Worker(*map(int, sys.argv[2:]))
if not os.path.exists(sys.argv[1]):
    worker.on_stop(lambda: os.kill(os.getppid(), signal.SIGUSR1))
    worker.announce("at work")
while True:
    signal.pause()
"""


class Stage:
    """Runs a supervisor of two workers that do not end when they are to, and acts on what happens."""

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self.hang = folder / "hang"  # while it exists, workers do not start
        self.said: list[str] = []
        self.levels: list[str] = []
        self.processes: list[Any] = []
        self.kill_at = -1
        self.on_words: dict[str, Callable[[], object]] = {}
        self.on_start: dict[int, Callable[[], object]] = {}  # before the process of this number, from 0, is made
        self._exec = asyncio.create_subprocess_exec
        command = [sys.executable, "-c", WORKER.format(path=sys.path), str(self.hang)]
        self._supervisor = Supervisor(command, listener, 2, 1, self._say)

    def _say(self, message: str, level: str = "info") -> None:
        self.levels.append(level)
        self.said.append(message)
        self.on_words.pop(message, lambda: None)()

    async def start(self, *words: str, **options: Any) -> asyncio.subprocess.Process:
        number = len(self.processes)
        self.processes.append(None)
        self.on_start.pop(number, lambda: None)()
        self.processes[number] = process = await self._exec(*words, **options)
        if number == self.kill_at:
            process.kill()
        return process

    def run(self) -> int:
        return self._supervisor.run()


def send(number: signal.Signals, count: int = 1) -> None:
    for _ in range(count):
        os.kill(os.getpid(), number)


def stop() -> None:
    send(signal.SIGINT, 2)  # the second time it kills them


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stage = Stage(tmp_path, listener)
        monkeypatch.setattr(asyncio, "create_subprocess_exec", stage.start)
        yield stage
    signal.signal(signal.SIGUSR1, before)


def test_a_worker_that_does_not_end_is_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_STOP_TIMEOUT", 0.1)
    stage.on_words = {"at work": lambda: send(signal.SIGHUP), "2 workers were replaced.": stop}
    assert stage.run() == 0
    assert stage.said == ["at work", "2 workers were replaced."]
    assert [each.returncode for each in stage.processes] == [-signal.SIGKILL] * 4


def test_a_worker_is_replaced_while_another_does_not_end(stage: Stage) -> None:
    def kill_the_second(*_: object) -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        stage.processes[1].kill()

    stage.on_words = {"at work": lambda: send(signal.SIGHUP)}
    stage.on_start = {3: stop}
    signal.signal(signal.SIGUSR1, kill_the_second)  # by the first one, which is to end
    assert stage.run() == 0
    assert stage.said == ["at work", "worker 1 has ended with signal 9 (Killed); another one takes its place."]


def fail() -> None:
    raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


@pytest.mark.parametrize("number", [0, 1])
def test_a_worker_that_cannot_be_started_at_the_start_is_an_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(supervisor, "_STOP_TIMEOUT", 0.1)
    stage.on_start = {number: fail}
    with pytest.raises(NumPyCLIPError, match=rf"^worker {number} cannot be started \(Resource temporarily unavail"):
        stage.run()
    assert [each.returncode for each in stage.processes if each] == [-signal.SIGKILL] * number


def test_starting_a_worker_is_tried_again(stage: Stage) -> None:
    stage.on_words = {"at work": lambda: stage.processes[1].kill()}
    stage.on_start = {2: fail, 3: stop}
    assert stage.run() == 0
    assert stage.said[2] == "worker 1 cannot be started (Resource temporarily unavailable)."
    assert len(stage.processes) == 4
    assert stage.levels == ["info", "warning", "warning"]


def test_why_a_successor_did_not_start_is_said(stage: Stage) -> None:
    def hang() -> None:
        stage.hang.touch()
        stage.on_start = {3: stop}
        stage.kill_at = 2

    stage.on_words = {"at work": lambda: stage.processes[1].kill()}
    stage.on_start = {2: hang}
    assert stage.run() == 0
    assert stage.said[2] == "worker 1 has ended with signal 9 (Killed), before it had started."


def test_a_successor_that_does_not_start_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def reload() -> None:
        stage.hang.touch()
        send(signal.SIGHUP)

    monkeypatch.setattr(supervisor, "_START_TIMEOUT", 0.1)
    words = "worker 0 is not replaced: its successor did not start, as said above."
    stage.on_words = {"at work": reload, words: stop}
    assert stage.run() == 0
    assert stage.said == ["at work", "worker 0 has not started in 0.1 s.", words]
    assert stage.processes[2].returncode in (-signal.SIGTERM, -signal.SIGKILL)


def test_workers_that_start_are_replaced_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_STOP_TIMEOUT", 0.1)
    stage.on_start = {1: lambda: send(signal.SIGHUP)}
    stage.on_words = {"2 workers were replaced.": stop}
    assert stage.run() == 0
    assert len(stage.processes) == 4


@pytest.mark.parametrize(
    ("program", "end"), [("pass", "exit status 0"), ("import os; os.kill(os.getpid(), 9)", "signal 9 (Killed)")]
)
def test_a_worker_that_ends_before_it_started_is_an_error(program: str, end: str) -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-c", program]
        assert Supervisor(command, listener, 2, 1, lambda *words: said.extend(words)).run() == 2
    assert said == [f"a worker has ended with {end} before it had started.", "error"]
