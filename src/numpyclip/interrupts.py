"""Signals: Ctrl-C deferred until an import is done, SIGTERM handled as Ctrl-C, and ending by a signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Handle Ctrl-C at the end: compiled modules whose import it breaks off say that they are damaged."""
    previous = signal.getsignal(signal.SIGINT)
    if previous is None or threading.current_thread() is not threading.main_thread():
        yield  # others have set the handler, or it runs in the main thread
        return
    received: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        for number in received[:1]:
            signal.raise_signal(number)


def end_by(number: int) -> None:
    """End this process as the signal does by default, so that its exit status says which one it was."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


@contextmanager
def terminations_as_interrupts() -> Iterator[None]:
    """Handle SIGTERM as Ctrl-C, so that what a service manager stops ends as if a person had stopped it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
