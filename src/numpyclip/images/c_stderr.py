"""Silences what C libraries print to ``stderr``: errors say it, too. Python's `sys.stderr` is left as it is."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_LOCK = threading.Lock()
_within = 0  # `quiet_c_stderr`, of all threads


@contextmanager
def quiet_c_stderr() -> Iterator[None]:
    """Drop what C libraries print to ``stderr`` meanwhile, on any thread; where the C library is not glibc, nothing."""
    _enter(1)
    try:
        yield
    finally:
        _enter(-1)


def _enter(step: int) -> None:
    global _within
    if (found := _streams()) is None:
        return
    with _LOCK:
        _within += step
        variable, theirs, nowhere = found
        variable.value = nowhere if _within else theirs


@cache
def _streams() -> tuple[Any, int, int] | None:
    """Return the variable, the stream that is in it, and one that leads nowhere."""
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    variable = ctypes.c_void_p.in_dll(library, "stderr")
    nowhere = library.fopen(os.fsencode(os.devnull), b"w")
    return (variable, variable.value, nowhere) if variable.value and nowhere else None
