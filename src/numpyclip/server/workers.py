"""Several processes that answer requests at one socket, and the supervisor that keeps them running.

Each worker is a new interpreter, and no fork of one that has loaded the models: the threads of BLAS and of engines do
not survive a fork, and a restart is to load what has changed. They share the prepared weights, of which all map one
file (`numpyclip.runtime.prepared`). uvicorn has a supervisor, too, but that one pickles the application, and stops
workers by a signal, which the manager of services may send as well: then it would be the second one, which kills.

A worker has one end of a socket pair. It writes a line when it serves, and stops when the other end is closed, by the
supervisor or by the end of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client.multiprocess import mark_process_dead

from numpyclip.errors import InputError

_VARIABLE = "NUMPYCLIP_WORKER"
_PROGRAM = "import sys; sys.path[:] = {path!r}; from numpyclip.cli import main; sys.exit(main(sys.argv[1:]))"
_LIBRARIES = ("OPENBLAS_NUM", "OMP_NUM", "MKL_NUM", "BLIS_NUM", "VECLIB_MAXIMUM")
_STOP_TIMEOUT = 40.0  # seconds, more than a worker needs for requests in flight and an update of the index
_MAX_DELAY = 60.0  # seconds between two tries to start a worker


@dataclass(frozen=True)
class Worker:
    """What a worker has from its supervisor.

    Attributes
    ----------
    number : int
        From 0; the first one updates the index.
    listener : socket
    control : socket
    """

    number: int
    listener: socket.socket
    control: socket.socket

    @classmethod
    def of_this_process(cls) -> Worker | None:
        """Return what this process has, None if it is no worker."""
        words = os.environ.pop(_VARIABLE, "").split()
        if not words:
            return None
        number, *descriptors = map(int, words)
        listener, control = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        for inherited in (listener, control):
            inherited.set_inheritable(False)
        return cls(number, listener, control)

    def has_started(self, announcement: str) -> None:
        """Tell the supervisor that requests are answered."""
        with contextlib.suppress(OSError):  # it is gone, as is noticed below
            self.control.sendall(announcement.encode("utf-8", "replace") + b"\n")

    def on_stop(self, stop: Callable[[], object]) -> None:
        """Have a function called when this process is to stop."""

        def wait() -> None:
            with contextlib.suppress(OSError):
                while self.control.recv(1):
                    pass
            stop()

        threading.Thread(target=wait, name="supervisor", daemon=True).start()


@dataclass(eq=False)
class _Process:
    """A worker, as the supervisor has it."""

    number: int
    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    announcement: str = ""

    async def has_started(self) -> bool:
        """Wait until it answers requests, or has ended."""
        with contextlib.suppress(OSError):
            self.announcement = (await self.reader.readline()).decode().strip()
        return bool(self.announcement)

    async def end(self, folder: str) -> int:
        """Wait for its end; return its exit status."""
        status = await self.process.wait()
        mark_process_dead(self.process.pid, folder)  # type: ignore[no-untyped-call]
        self.writer.close()
        return status

    def stop(self) -> None:
        """Have it finish what it does, and end."""
        self.writer.close()
        if not self.announcement:  # it loads a model, and does not look
            self.kill(signal.SIGTERM)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


class Supervisor:
    """Starts workers, and others for those that end; on SIGHUP one after the other is replaced.

    Parameters
    ----------
    words : sequence of str
        The command line that each worker runs.
    listener : socket
    count : int
    threads : int
        Of BLAS, in each worker.
    say : callable
        Prints a message.
    """

    def __init__(
        self, words: Sequence[str], listener: socket.socket, count: int, threads: int, say: Callable[[str], object]
    ) -> None:
        if os.name == "nt":
            raise InputError(f"workers is {count}; expected 1 on Windows, where they cannot share a socket.")
        self._command = [sys.executable, "-c", _PROGRAM.format(path=[*filter(None, sys.path)]), *words]
        self._listener = listener
        self._count = count
        self._threads = str(threads)
        self._say = say
        self._workers: dict[int, _Process] = {}
        self._all: set[_Process] = set()
        self._signal = 0

    def run(self) -> int:
        """Run until SIGINT or SIGTERM; return the exit status of a worker that could not start, else 0.

        SIGTERM is raised again, so that the process ends as it does by default.
        """
        with contextlib.ExitStack() as self._folders:
            self._make_folder()
            status = asyncio.run(self._run())
        if self._signal == signal.SIGTERM:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        return status

    def _make_folder(self) -> None:
        """Make a folder for metrics, readable by this user only."""
        self._folder = self._folders.enter_context(tempfile.TemporaryDirectory(prefix="numpyclip-metrics-"))

    def _has_folder(self) -> bool:
        """Tell whether it is still there: in /tmp, what is old may be deleted, and made by others then."""
        try:
            return os.stat(self._folder).st_uid == os.geteuid()  # noqa: PTH116
        except FileNotFoundError:
            return False

    async def _run(self) -> int:
        loop, self._turn = asyncio.get_running_loop(), asyncio.Lock()
        self._is_stopping, self._ends = asyncio.Event(), set[asyncio.Task[None]]()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._restart()))
        try:
            status = await self._start_all()
            if self._is_stopping.is_set():
                return 0
            if status < 0:
                self._say(f"a worker has ended with {_reason(status)} before it had started.")
            if not status:
                self._say(self._workers[0].announcement)
                await self._is_stopping.wait()
            return abs(status)
        finally:
            await self._end_all()

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    def _stop(self, number: int) -> None:
        if self._is_stopping.is_set():  # the second signal
            for worker in self._all:
                worker.kill(signal.SIGKILL)
        self._signal = number
        self._is_stopping.set()
        for worker in self._all:
            worker.stop()

    async def _start_all(self) -> int:
        """Start the first worker, which prepares weights that the others map, then these."""
        async with self._turn:
            for numbers in ([0], range(1, self._count)):
                workers = await asyncio.gather(*(self._start(number) for number in numbers))
                for worker, has_started in zip(
                    workers, await asyncio.gather(*(worker.has_started() for worker in workers)), strict=True
                ):
                    if not has_started:
                        return await worker.end(self._folder)
                    self._keep(worker)
        return 0

    async def _start(self, number: int) -> _Process:
        if not self._has_folder():
            self._make_folder()
        ours, its = socket.socketpair()
        environment = {f"{library}_THREADS": self._threads for library in _LIBRARIES} | os.environ
        environment[_VARIABLE] = f"{number} {self._listener.fileno()} {its.fileno()}"
        environment["PROMETHEUS_MULTIPROC_DIR"] = self._folder
        with its:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                env=environment,
                pass_fds=(self._listener.fileno(), its.fileno()),
                start_new_session=True,  # Ctrl-C is for the supervisor
            )
        worker = _Process(number, process, *await asyncio.open_connection(sock=ours))
        self._all.add(worker)
        if self._is_stopping.is_set():
            worker.stop()
        return worker

    def _keep(self, worker: _Process) -> None:
        self._workers[worker.number] = worker
        self._spawn(self._watch(worker))

    async def _watch(self, worker: _Process) -> None:
        """Start another worker when this one has ended, unless it was replaced."""
        status = await worker.end(self._folder)
        self._all.discard(worker)
        if self._is_stopping.is_set() or self._workers[worker.number] is not worker:
            return
        self._say(f"worker {worker.number} has ended with {_reason(status)}; another one takes its place.")
        delay = 1.0
        while not (self._is_stopping.is_set() or await self._replace(worker)):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._is_stopping.wait(), delay)
            delay = min(2 * delay, _MAX_DELAY)

    async def _replace(self, worker: _Process) -> bool:
        """Start another worker, and end the one before once that answers requests; return whether it does."""
        async with self._turn:
            if self._workers[worker.number] is not worker:  # it was replaced while this waited for its turn
                return True
            successor = await self._start(worker.number)
            if not await successor.has_started():
                await successor.end(self._folder)
                self._all.discard(successor)
                return False
            self._keep(successor)
            worker.stop()
            await worker.process.wait()
            return True

    async def _restart(self) -> None:
        """Replace the workers one by one; those that are starting need not be."""
        if len(self._workers) < self._count:
            return
        for number in range(self._count):
            if self._is_stopping.is_set():
                return
            if not await self._replace(self._workers[number]):
                if not self._is_stopping.is_set():
                    self._say(f"worker {number} is not replaced: its successor did not start, as messages above say.")
                return
        self._say(f"{self._count} workers were replaced.")

    async def _end_all(self) -> None:
        """Stop all workers; kill those that take too long."""
        self._is_stopping.set()
        for worker in self._all:
            worker.stop()
        ends = [asyncio.ensure_future(worker.end(self._folder)) for worker in self._all]
        if ends and (await asyncio.wait(ends, timeout=_STOP_TIMEOUT))[1]:
            for worker in self._all:
                worker.kill(signal.SIGKILL)
            await asyncio.wait(ends)
        if self._ends:
            await asyncio.wait(self._ends)


def _reason(status: int) -> str:
    return f"signal {-status} ({signal.strsignal(-status)})" if status < 0 else f"exit status {status}"
