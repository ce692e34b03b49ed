"""A process of the local pool: reads parts from standard input, and writes their outcomes to standard output.

It ends when its input does, so it cannot outlive its parent process.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import warnings
from queue import SimpleQueue
from typing import IO

from numpyclip.batch.job import Job
from numpyclip.batch.work import attempt_part, filter_warnings
from numpyclip.sources.part import Part


def main() -> None:
    """Embed parts of a job until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who has started it ends it
    requests = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    lock = threading.Lock()  # warnings may come from any thread

    def reply(value: object) -> None:
        try:
            with lock:
                pickle.dump(value, replies)
                replies.flush()
        except OSError:  # nobody reads them any more
            os._exit(0)

    def show(message: Warning | str, *_where: object, **_more: object) -> None:
        reply(message)

    filter_warnings()
    warnings.showwarning = show
    job: Job = pickle.load(requests)
    parts: SimpleQueue[Part] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests, parts), daemon=True).start()
    reply(None)
    while True:
        try:
            reply(attempt_part(job, parts.get(), lambda number, rows: reply((number, rows))))
        except Exception as error:  # which concerns all parts
            reply(error)


def _receive(requests: IO[bytes], parts: SimpleQueue[Part]) -> None:
    """Pass parts on; end the process at once, also within a part, when the input ends."""
    try:
        while True:
            parts.put(pickle.load(requests))
    finally:  # it may be cut short anywhere
        os._exit(0)
