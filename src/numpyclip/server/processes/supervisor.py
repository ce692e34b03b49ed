"""Several processes that answer requests at one socket, and the supervisor that keeps them running.

Each worker is a new interpreter, and no fork of one that has loaded the models: the threads of BLAS and of engines do
not survive a fork, and a restart is to load what has changed. They share the prepared weights, of which all map one
file (`numpyclip.runtime.prepared`). uvicorn has a supervisor, too, but that one pickles the application, and stops
workers by a signal, which the manager of services may send as well: then it would be the second one, which kills.

A worker (`numpyclip.server.processes.worker_process`) has one end of a socket pair. It writes a line when it serves,
and stops when it reads a byte, or when the other end is closed, since the supervisor has died.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.interrupts import end_by
from numpyclip.runtime.threads import thread_variables
from numpyclip.server.monitoring.metrics_folder import MetricsFolder
from numpyclip.server.processes.systemd import notify_ready
from numpyclip.server.processes.worker_handle import WorkerHandle

_STOP_TIMEOUT = 40.0  # seconds, more than a worker needs for requests in flight and an update of the index
_START_TIMEOUT = 1800.0  # seconds in which one that replaces another has to start, a download of its model included
_MAX_DELAY = 60.0  # seconds between two tries to start a worker


class Supervisor:
    """Starts workers, and others for those that end; on SIGHUP one after the other is replaced.

    Parameters
    ----------
    command : sequence of str
        The command line of a worker, behind which are its number and the descriptors of its two sockets.
    listener : socket
    count : int
    threads : int
        Of BLAS, in each worker.
    say : callable
        Prints a message; behind it may be its level, such as ``"warning"``.
    """

    def __init__(
        self, command: Sequence[str], listener: socket.socket, count: int, threads: int, say: Callable[..., object]
    ) -> None:
        if os.name == "nt":
            raise InputError(f"workers is {count}; expected 1 on Windows, where they cannot share a socket.")
        self._command = command
        self._listener = listener
        self._count = count
        self._threads = threads
        self._say = say
        self._workers: dict[int, WorkerHandle] = {}
        self._all: set[WorkerHandle] = set()
        self._locks = [asyncio.Lock() for _ in range(count)]  # of their replacement
        self._watchers: set[asyncio.Task[None]] = set()
        self._metrics = MetricsFolder()
        self._hangup, self._is_stopping = asyncio.Event(), asyncio.Event()
        self._signal = 0

    def run(self) -> int:
        """Run until SIGINT or SIGTERM; return the exit status of a worker that could not start, else 0.

        SIGTERM is raised again, so that the process ends as it does by default.
        """
        status = asyncio.run(self._run())
        if self._signal == signal.SIGTERM:
            end_by(signal.SIGTERM)
        return status

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._hangup.set)
        with self._metrics:  # once signals are handled, which would leave it behind
            try:
                return await self._serve()
            finally:
                await self._end_all()

    async def _serve(self) -> int:
        """Start the workers, and replace them until the stop; return the exit status."""
        status = await self._start_all()
        if status is None:
            self._say(self._workers[0].announcement)
            notify_ready()
            await self._restart_on_hangup()
        if status is None or self._is_stopping.is_set():
            return 0
        if status > 0:  # it has said why
            return status
        self._say(f"a worker has ended with {_reason(status)} before it had started.", "error")
        return 2

    def _stop(self, number: int) -> None:
        if self._is_stopping.is_set():  # the second signal
            for worker in self._all:
                worker.kill(signal.SIGKILL)
        self._signal = number
        self._is_stopping.set()
        self._hangup.set()
        for worker in self._all:
            worker.stop()

    async def _start_all(self) -> int | None:
        """Start the first worker, which prepares weights that the others map, then these.

        Returns
        -------
        int or None
            The exit status of one that has ended before it had started.
        """
        for numbers in ([0], range(1, self._count)):
            workers = [await self._start(number) for number in numbers]
            for worker, has_started in zip(
                workers, await asyncio.gather(*(worker.wait_for_start() for worker in workers)), strict=True
            ):
                if not has_started:
                    return await worker.end()
                self._keep(worker)
        return None

    async def _start(self, number: int) -> WorkerHandle:
        try:
            environment = thread_variables(self._threads) | os.environ | self._metrics.environment()
            worker = await WorkerHandle.start(self._command, number, self._listener, environment)
        except OSError as error:  # there is no process, memory or disk to be had, say, which may change
            raise NumPyCLIPError(f"worker {number} cannot be started ({error.strerror or error}).") from error
        self._all.add(worker)
        if self._is_stopping.is_set():
            worker.stop()
        return worker

    def _keep(self, worker: WorkerHandle) -> None:
        self._workers[worker.number] = worker
        self._watch(worker)

    def _watch(self, worker: WorkerHandle) -> None:
        task = asyncio.create_task(self._replace_at_end(worker))
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)

    async def _replace_at_end(self, worker: WorkerHandle) -> None:
        """Start another worker when this one has ended, unless it was replaced."""
        status = await worker.end()
        self._metrics.mark_ended(worker.process.pid)
        self._all.discard(worker)
        if self._is_stopping.is_set() or self._workers.get(worker.number) is not worker:
            return
        self._say(f"worker {worker.number} has ended with {_reason(status)}; another one takes its place.", "warning")
        delay = 1.0
        while not (self._is_stopping.is_set() or await self._replace(worker.number, worker)):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._is_stopping.wait(), delay)
            delay = min(2 * delay, _MAX_DELAY)

    async def _replace(self, number: int, ended: WorkerHandle | None = None) -> bool:
        """Start another worker, and end the one before once that answers requests; return whether it does.

        Parameters
        ----------
        number : int
        ended : WorkerHandle, optional
            Replace this one only, unless that has been done meanwhile.
        """
        async with self._locks[number]:
            worker = self._workers[number]
            if ended is not None and ended is not worker:
                return True
            successor = await self._try_to_start(number)
            if successor is None:
                return False
            self._keep(successor)
        worker.stop()
        await self._end_in_time(worker)
        return True

    async def _try_to_start(self, number: int) -> WorkerHandle | None:
        """Start a worker, and wait until it answers requests; None if it cannot, or takes too long."""
        try:
            worker = await self._start(number)
        except NumPyCLIPError as error:
            self._say(str(error), "warning")
            return None
        try:
            if await asyncio.wait_for(worker.wait_for_start(), _START_TIMEOUT):
                return worker
            why = "has ended with {}, before it had started"
        except asyncio.TimeoutError:
            worker.stop()
            why = f"has not started in {_START_TIMEOUT:g} s"
        self._watch(worker)
        await self._end_in_time(worker)
        if not self._is_stopping.is_set():
            self._say(f"worker {number} {why.format(_reason(worker.process.returncode or 0))}.", "warning")
        return None

    async def _end_in_time(self, worker: WorkerHandle) -> None:
        """Wait for the end of a worker that is to end; kill one that takes too long."""
        try:
            await asyncio.wait_for(worker.process.wait(), _STOP_TIMEOUT)
        except asyncio.TimeoutError:
            worker.kill(signal.SIGKILL)

    async def _restart_on_hangup(self) -> None:
        """Replace the workers one by one whenever SIGHUP has come, also while they were starting, until the stop."""
        while await self._hangup.wait() and not self._is_stopping.is_set():
            self._hangup.clear()
            for number in range(self._count):
                if self._is_stopping.is_set():
                    return
                if not await self._replace(number):
                    if not self._is_stopping.is_set():
                        message = f"worker {number} is not replaced: its successor did not start, as said above."
                        self._say(message, "warning")
                    break
            else:
                self._say(f"{self._count} workers were replaced.")

    async def _end_all(self) -> None:
        """Stop all workers; kill those that take too long."""
        self._is_stopping.set()
        for worker in self._all:
            worker.stop()
        ends = [asyncio.ensure_future(worker.end()) for worker in self._all]
        if ends and (await asyncio.wait(ends, timeout=_STOP_TIMEOUT))[1]:
            for worker in self._all:
                worker.kill(signal.SIGKILL)
            await asyncio.wait(ends)
        if self._watchers:
            await asyncio.wait(self._watchers)


def _reason(status: int) -> str:
    return f"signal {-status} ({signal.strsignal(-status)})" if status < 0 else f"exit status {status}"
