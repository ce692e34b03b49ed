"""Parts on local processes: one CPU and one thread each, replaced when they are killed.

A process is a new interpreter in which `numpyclip.batch.worker` runs. A thread of this process hands parts to it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Generator, Sequence
from queue import Empty, SimpleQueue
from typing import IO, Any, TypeAlias, cast

from threadpoolctl import threadpool_limits

from numpyclip.batch.job import MOST_RETRIES, FailedPart, Job, OnRows, Outcome, PartSummary, given_up
from numpyclip.batch.work import ONE_THREAD, attempt_part, load_model, share_weights
from numpyclip.engines.processor import cores
from numpyclip.errors import NumPyCLIPError
from numpyclip.sources.part import Part

_Outcomes: TypeAlias = Generator[Outcome, None, None]

_CHECK_SECONDS = 1.0  # for Ctrl-C, on systems where it does not interrupt waiting
_PROGRAM = """\
import sys
sys.path[:] = filter(None, sys.path)  # not the current folder, whose pickle.py would be run
import pickle
sys.path[:] = pickle.load(sys.stdin.buffer)
from numpyclip.batch.worker import main
main()
"""


def run_parts(job: Job, parts: Sequence[Part], workers: int | None, on_rows: OnRows) -> _Outcomes:
    """Embed parts on local processes; with one worker or part, in this one: see `numpyclip.batch.job.RunParts`."""
    workers = min(workers or cores(), len(parts))
    if workers <= 1:
        return _run_here(job, parts, on_rows)
    share_weights(job)
    load_model.cache_clear()  # this process needs them no more
    return _Pool(job, parts, on_rows).run(workers)


def _run_here(job: Job, parts: Sequence[Part], on_rows: OnRows) -> _Outcomes:
    for part in parts:
        with threadpool_limits(1, user_api="blas"):  # as in a worker, so that embeddings are equal bit for bit
            outcome = attempt_part(job, part, on_rows)
        yield outcome


class _Pool:
    """Processes that share the parts of a job."""

    def __init__(self, job: Job, parts: Sequence[Part], on_rows: OnRows) -> None:
        self._job = job
        self._on_rows = on_rows
        self._missing = len(parts)
        self._parts: SimpleQueue[Part] = SimpleQueue()
        for part in parts:
            self._parts.put(part)
        self._events: SimpleQueue[Any] = SimpleQueue()  # what workers reply, and errors
        self._lock = threading.Lock()  # of the next two
        self._processes: list[_Process] = []
        self._is_ended = False

    def run(self, workers: int) -> _Outcomes:
        """Start processes; yield the outcome of each part; end them, also if the iterator is closed early."""
        threads = [threading.Thread(target=self._hand_out, daemon=True) for _ in range(workers)]
        try:
            for thread in threads:
                thread.start()
            while self._missing:
                yield self._next_outcome()
                self._missing -= 1
        finally:
            self._end()
            for thread in threads:
                if thread.is_alive():  # an interrupt may come before they have been started
                    thread.join()

    def _next_outcome(self) -> Outcome:
        """Wait until a part has ended; pass on rows and warnings that come before it."""
        while True:
            try:
                event = self._events.get(timeout=_CHECK_SECONDS)
            except Empty:
                continue
            if isinstance(event, PartSummary | FailedPart):
                return event
            if isinstance(event, Warning):
                warnings.warn(event, stacklevel=4)
            elif isinstance(event, Exception):
                raise event
            else:
                self._on_rows(*event)

    def _hand_out(self) -> None:
        """Hand parts to a process, and to those that replace it, until there are no more."""
        if hasattr(signal, "pthread_sigmask"):  # which processes inherit: Ctrl-C is for this one, which ends them
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        process = None
        try:
            while not self._is_ended:
                part = self._parts.get_nowait()
                for _ in range(1 + MOST_RETRIES):
                    process = process or self._start()
                    if process.embed(part, self._events):
                        break
                    death, process = process.death(), None
                    if self._is_ended:
                        return
                else:
                    self._events.put(given_up(part, death))
        except Empty:
            pass
        except Exception as error:  # a process could not be started
            self._events.put(error)

    def _start(self) -> _Process:
        process = _Process(self._job)
        with self._lock:
            self._processes.append(process)
            if self._is_ended:
                process.end()
        return process

    def _end(self) -> None:
        with self._lock:
            self._is_ended = True
            for process in self._processes:
                process.end()


class _Process:
    """A process that embeds parts of a job."""

    def __init__(self, job: Job) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ONE_THREAD},  # which is read when NumPy is imported
        )
        self._requests, self._replies = cast("tuple[IO[bytes], IO[bytes]]", (self._popen.stdin, self._popen.stdout))
        self._has_begun = False
        self._send(sys.path)
        self._send(job)

    def embed(self, part: Part, events: SimpleQueue[Any]) -> bool:
        """Embed a part, and pass replies on, the last of which is its outcome; False if the process has died."""
        self._send(part)
        try:
            while True:
                reply = pickle.load(self._replies)
                self._has_begun = True
                if reply is not None:
                    events.put(reply)
                if isinstance(reply, PartSummary | FailedPart):
                    return True
        except (EOFError, pickle.UnpicklingError, OSError, ValueError):  # cut short, or closed
            return False

    def _send(self, value: object) -> None:
        with contextlib.suppress(OSError):  # it has died, as its missing replies will tell
            pickle.dump(value, self._requests)
            self._requests.flush()

    def death(self) -> str:
        """Tell how the process has ended.

        Raises
        ------
        NumPyCLIPError
            If it never began, as none of the others would.
        """
        status = self._popen.wait()
        self.end()
        if status > 0 and not self._has_begun:
            raise NumPyCLIPError(f"{sys.executable}: a worker ended with exit status {status}, for the reason above.")
        reason = f"signal {-status} ({signal.strsignal(-status)})" if status < 0 else f"exit status {status}"
        return f"{reason}; is there enough memory?"

    def end(self) -> None:
        """End the process at once."""
        self._popen.kill()
        self._popen.wait()
        for stream in (self._requests, self._replies):
            with contextlib.suppress(OSError):
                stream.close()
