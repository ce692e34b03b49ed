"""What many requests want embedded, embedded together.

While the model computes one batch, what arrives meanwhile makes the next. Nobody waits for a batch to fill up, but for
pictures that are being decoded already: eight computed together take much less time than one and then seven.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np

from numpyclip.model.ops import Array
from numpyclip.runtime.clip import CLIP
from numpyclip.server.metrics import Metrics
from numpyclip.server.problems import Busy
from numpyclip.server.settings import Settings

Embed: TypeAlias = "Callable[[Sequence[Any]], Awaitable[Array]]"
Kind: TypeAlias = Literal["pictures", "texts"]
_KINDS: tuple[Kind, ...] = ("pictures", "texts")
_TEXTS = 8  # texts for every picture in a batch: about as much work
_PATIENCE = 0.03  # seconds to wait for what is being decoded
_FIRST_GUESS = 20.0  # texts and pictures embedded per second, before any was


@dataclass(eq=False)
class _Job:
    """What one request wants embedded."""

    items: Sequence[Any]
    done: asyncio.Future[Array]
    parts: list[Array] = field(default_factory=list)
    begun: int = 0  # items that are in a batch, or were

    def left(self) -> int:
        """Count the others."""
        return len(self.items) - self.begun


class Batcher:
    """One thread that computes, and a queue for each kind of input. Use it as a context.

    Parameters
    ----------
    model : CLIP
    settings : Settings
        Its `batch_size`, `max_waiting` and `timeout`.
    metrics : Metrics
    """

    def __init__(self, model: CLIP, settings: Settings, metrics: Metrics) -> None:
        self._compute: dict[Kind, Callable[[Sequence[Any]], Array]] = {
            "pictures": model.embed_pixels,
            "texts": partial(model.embed_texts, truncate=True),
        }
        self._most: dict[Kind, int] = {"pictures": settings.batch_size, "texts": _TEXTS * settings.batch_size}
        self._settings = settings
        self._metrics = metrics
        self._queues: dict[Kind, deque[_Job]] = {kind: deque() for kind in _KINDS}
        self._admitted = 0
        self._coming = 0  # of those, what is not in a queue yet
        self._rate = _FIRST_GUESS
        self._arrived = asyncio.Event()
        self._is_stopping = False

    async def __aenter__(self) -> Batcher:
        """Start the thread."""
        self._thread = ThreadPoolExecutor(1, "numpyclip-batches")
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Finish the batch that is computed, and stop; whoever still waits is sent away."""
        self._is_stopping = True
        self._arrived.set()
        await self._task
        self._thread.shutdown()
        for job in itertools.chain(*self._queues.values()):
            if not job.done.done():
                job.done.set_exception(Busy("the server is shutting down; try again soon.", 5, 503))

    @contextmanager
    def admitted(self, kind: Kind, count: int) -> Iterator[Embed]:
        """Count inputs as waiting for as long as the block lasts, from before they are decoded.

        Yields
        ------
        callable
            Embeds them: crops of pictures, or texts, which are cut where they are too long. It returns an array of
            shape (n, embed_dim), dtype=float32, of unit length, and raises Busy if that is not done in time.

        Raises
        ------
        Busy
            If too many wait already. A request is taken as a whole or not at all, also one with more than the limit.
        """
        if self._admitted >= self._settings.max_waiting:
            raise Busy(f"{self._admitted} inputs are waiting already; try again soon.", self._admitted / self._rate)
        self._admitted += count
        self._coming += count
        coming = count
        self._metrics.waiting.set(self._admitted)

        async def embed(items: Sequence[Any]) -> Array:
            nonlocal coming
            self._coming -= coming
            coming = 0
            return await self._embed(kind, items)

        try:
            yield embed
        finally:
            self._admitted -= count
            self._coming -= coming
            self._arrived.set()  # who waits for what was coming waits no more
            self._metrics.waiting.set(self._admitted)

    async def _embed(self, kind: Kind, items: Sequence[Any]) -> Array:
        job = _Job(items, asyncio.get_running_loop().create_future())
        self._queues[kind].append(job)
        self._arrived.set()
        try:
            return await asyncio.wait_for(job.done, self._settings.timeout)
        except asyncio.TimeoutError:  # its own class until Python 3.11
            raise Busy(f"not done in {self._settings.timeout:g} s; try again later.", 5, 503) from None
        finally:
            if job in self._queues[kind]:  # its client has gone away, or had to wait too long
                self._queues[kind].remove(job)

    async def _run(self) -> None:
        for kind in itertools.cycle(_KINDS):  # in turn, so that many of one kind do not hold up the other
            while not (any(self._queues.values()) or self._is_stopping):
                self._arrived.clear()
                await self._arrived.wait()
            if not self._is_stopping:
                await self._wait_for_decoders()
            if self._is_stopping:
                return
            batch = self._next_batch(kind)
            if batch:
                await self._compute_batch(kind, batch)

    async def _wait_for_decoders(self) -> None:
        """Wait a moment for what is coming, unless there is a whole batch."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        while (
            self._coming
            and not self._is_stopping
            and sum(map(_Job.left, self._queues["pictures"])) < self._most["pictures"]
        ):
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), end - loop.time())
            except asyncio.TimeoutError:  # its own class until Python 3.11
                return

    def _next_batch(self, kind: Kind) -> list[tuple[_Job, Sequence[Any]]]:
        """Take what has waited longest, of as many requests as fit."""
        batch, room, queue = [], self._most[kind], self._queues[kind]
        while queue and room:
            job = queue[0]
            taken = job.items[job.begun : job.begun + room]
            batch.append((job, taken))
            job.begun += len(taken)
            room -= len(taken)
            if not job.left():
                queue.popleft()
        return batch

    async def _compute_batch(self, kind: Kind, batch: list[tuple[_Job, Sequence[Any]]]) -> None:
        items = [item for _, taken in batch for item in taken]
        start = time.perf_counter()
        try:
            loop = asyncio.get_running_loop()
            embeddings = await loop.run_in_executor(self._thread, self._compute[kind], items)
        except Exception as error:
            for job, _ in batch:
                if not job.done.done():
                    job.done.set_exception(error)
            return
        self._rate += 0.2 * (len(items) / (time.perf_counter() - start) - self._rate)
        self._metrics.embedded.labels(kind).inc(len(items))
        self._metrics.batches.labels(kind).observe(len(items))
        end = 0
        for job, taken in batch:
            job.parts.append(embeddings[end : end + len(taken)])
            end += len(taken)
            if job.begun == len(job.items) == sum(map(len, job.parts)) and not job.done.done():
                job.done.set_result(np.concatenate(job.parts))
