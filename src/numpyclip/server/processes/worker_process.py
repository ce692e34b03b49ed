"""A process that answers requests for a supervisor (`numpyclip.server.processes.supervisor`)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable

from numpyclip.server.monitoring.metrics_folder import remove_metrics


class Worker:
    """A worker's side of the connection with its supervisor.

    Parameters
    ----------
    number : int
        From 0; the first one updates the index.
    listener, control : int
        Descriptors of the socket at which requests arrive, and of that of the supervisor.

    Attributes
    ----------
    number : int
    listener : socket
    """

    def __init__(self, number: int, listener: int, control: int) -> None:
        self.number = number
        self.listener, self._control = (socket.socket(fileno=descriptor) for descriptor in (listener, control))
        for inherited in (self.listener, self._control):
            inherited.set_inheritable(False)
        self._stop: Callable[[], object] = lambda: os.kill(os.getpid(), signal.SIGTERM)  # while it loads a model
        threading.Thread(target=self._wait, name="supervisor", daemon=True).start()

    def announce(self, announcement: str) -> None:
        """Tell the supervisor that requests are answered."""
        with contextlib.suppress(OSError):  # it is gone, as is noticed below
            self._control.sendall(announcement.encode("utf-8", "replace") + b"\n")

    def on_stop(self, stop: Callable[[], object]) -> None:
        """Have a function called when this process is to stop, in place of its end."""
        self._stop = stop

    def _wait(self) -> None:
        """Wait for a byte, which means to stop, or for the end of the supervisor."""
        is_told = b""
        with contextlib.suppress(OSError):
            is_told = self._control.recv(1)
        if not is_told:
            remove_metrics()  # as the supervisor would have done
        self._stop()
