"""An object store in memory, `memory://`, whose connections break when a test wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


class ObjectStore:
    """What is in it, and what happens to those who read and write.

    Attributes
    ----------
    breaks : list of int
        Bytes after which connections break, one for each that is opened next.
    refusals : list of Exception
        What is raised, one for each call that opens, lists or writes.
    pauses : list of float
        Seconds that were waited between tries.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        memory = pytest.importorskip("fsspec.implementations.memory", reason="URLs need fsspec")
        self.breaks: list[int] = []
        self.refusals: list[Exception] = []
        self.pauses: list[float] = []
        self.opened = 0
        self._system = memory.MemoryFileSystem
        patch.setattr(self._system, "store", {})
        patch.setattr(self._system, "pseudo_dirs", [""])
        patch.setattr("numpyclip.file_systems.sleep", self.pauses.append)
        for name in ("_open", "ls", "find", "glob", "pipe_file", "put_file", "info"):
            patch.setattr(self._system, name, self._refusing(getattr(self._system, name)))
        opened = self._system._open

        def breaking(system: Any, path: str, mode: str = "rb", **options: Any) -> Any:
            file = opened(system, path, mode, **options)
            if mode != "rb":
                return file
            self.opened += 1
            return _Connection(file, self.breaks.pop(0)) if self.breaks else file

        patch.setattr(self._system, "_open", breaking)

    def _refusing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self.refusals:
                raise self.refusals.pop(0)
            return method(*arguments, **options)

        return call

    def put(self, url: str, content: bytes) -> str:
        """Store an object, and return its URL."""
        self._system().pipe_file(url, content)
        return url

    def get(self, url: str) -> bytes:
        """Return what is stored."""
        return bytes(self._system.store[self._system._strip_protocol(url)].getbuffer())


class _Connection:
    """An open file that breaks after some bytes."""

    def __init__(self, file: Any, left: int) -> None:
        self._file = file
        self._left = left

    def read(self, most: int) -> bytes:
        if not self._left:
            raise ConnectionResetError("the connection was reset")
        data: bytes = self._file.read(min(most, self._left))
        self._left -= len(data)
        return data

    def seek(self, position: int) -> int:
        return int(self._file.seek(position))

    def close(self) -> None:
        pass  # the object stays open in the store
