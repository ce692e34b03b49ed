"""A process that answers requests for a supervisor (`numpyclip.server.processes.workers`)."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

VARIABLE = "NUMPYCLIP_WORKER"  # number and descriptors of a worker


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
        words = os.environ.pop(VARIABLE, "").split()
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
