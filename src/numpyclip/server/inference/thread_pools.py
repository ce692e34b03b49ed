"""Thread pools for what would block the event loop, one for each kind of work, so that no kind delays another."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from numpyclip.videos.container import is_video_name

_T = TypeVar("_T")
SHUTDOWN_TIMEOUT = 5.0  # seconds that are given to what computes or reads at the end


class ThreadPools:
    """The threads of a server."""

    def __init__(self) -> None:
        self._running: set[Future[Any]] = set()

    def start(self) -> None:
        """Make the pools, whose threads start when they are needed."""
        count = max(4, os.cpu_count() or 1)
        self._general = ThreadPoolExecutor(count, "numpyclip-requests")
        self._decoders = ThreadPoolExecutor(count, "numpyclip-decoding")  # of their own: they wait for memory
        self._video_decoders = ThreadPoolExecutor(2, "numpyclip-videos")  # which take seconds
        self._parsers = ThreadPoolExecutor(2, "numpyclip-parsing")
        self._pools = (self._general, self._decoders, self._video_decoders, self._parsers)

    async def stop(self) -> bool:
        """Stop the threads, without waiting long for what cannot be interrupted; return whether all have ended."""
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)
        running = [asyncio.wrap_future(future) for future in list(self._running)]  # which end meanwhile
        if running and (await asyncio.wait(running, timeout=SHUTDOWN_TIMEOUT))[1]:
            return False
        for pool in self._pools:
            pool.shutdown()
        return True

    def submit(self, function: Callable[..., _T], *arguments: object) -> Future[_T]:
        """Call a slow function in a thread."""
        return self._submit_to(self._general, function, *arguments)

    async def run(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a slow function without blocking the event loop; not at all if the request ends before its turn."""
        return await self._run_in(self._general, function, *arguments)

    async def decode(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a decoder of images, for which only other decoders wait."""
        return await self._run_in(self._decoders, function, *arguments)

    async def decode_file(self, function: Callable[..., _T], path: str, *arguments: object) -> _T:
        """Call a decoder of a file; for one of a video only others of videos wait."""
        pool = self._video_decoders if is_video_name(path) else self._decoders
        return await self._run_in(pool, function, path, *arguments)

    async def parse(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a parser without blocking the event loop."""
        return await self._run_in(self._parsers, function, *arguments)

    async def _run_in(self, pool: ThreadPoolExecutor, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.wrap_future(self._submit_to(pool, function, *arguments))

    def _submit_to(self, pool: ThreadPoolExecutor, function: Callable[..., _T], *arguments: object) -> Future[_T]:
        future = pool.submit(function, *arguments)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future
