"""The supervisor's handle of a worker: starting, stopping and killing it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(eq=False)
class WorkerHandle:
    """A process, and the supervisor's side of the connection with it.

    Attributes
    ----------
    number : int
    process : asyncio.subprocess.Process
    announcement : str
        What it has written once it answers requests; empty before.
    """

    number: int
    process: asyncio.subprocess.Process
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    announcement: str = ""

    @classmethod
    async def start(
        cls, command: Sequence[str], number: int, listener: socket.socket, environment: Mapping[str, str]
    ) -> WorkerHandle:
        """Start a worker.

        Raises
        ------
        OSError
            If there is no process or memory to be had, say.
        """
        ours, its = socket.socketpair()
        with its:
            descriptors = listener.fileno(), its.fileno()
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    *map(str, (number, *descriptors)),
                    stdin=asyncio.subprocess.DEVNULL,
                    env=environment,
                    pass_fds=descriptors,
                    start_new_session=True,  # Ctrl-C is for the supervisor
                )
            except OSError:
                writer.close()
                raise
        return cls(number, process, reader, writer)

    async def wait_for_start(self) -> bool:
        """Wait until it answers requests, or has ended; return whether it does."""
        with contextlib.suppress(OSError):
            self.announcement = (await self._reader.readline()).decode().strip()
        return bool(self.announcement)

    async def end(self) -> int:
        """Wait for its end; return its exit status."""
        status = await self.process.wait()
        self._writer.close()
        return status

    def stop(self) -> None:
        """Have it finish what it does, and end."""
        self._writer.write(b"\n")  # by which it knows that the supervisor has not died
        self._writer.close()
        if not self.announcement:  # it may be importing, and not listen yet
            self.kill(signal.SIGTERM)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
