"""Dynamic batching of inputs across requests.

Inputs that arrive while the model computes form the next batch. A batch waits only for images that are already being
decoded, since eight images in one batch take much less time than one and then seven.
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
from typing import Any, TypeAlias

import numpy as np

from numpyclip.index.records import MODALITIES, Modality
from numpyclip.model.ops import Array
from numpyclip.server.http.request_context import RequestRecord, current_request
from numpyclip.server.http.responses import OverloadedError
from numpyclip.server.inference.model_on_demand import ModelOnDemand
from numpyclip.server.inference.thread_pools import SHUTDOWN_TIMEOUT
from numpyclip.server.monitoring.prometheus import Metrics
from numpyclip.server.settings import Settings

Embed: TypeAlias = "Callable[[Sequence[Any]], Awaitable[Array]]"
_TEXTS_PER_IMAGE = 8  # of equal cost in a batch
_MAX_DECODE_WAIT = 0.03  # seconds
_KINDS: dict[Modality, str] = {"pictures": "images", "texts": "texts"}  # labels of metrics
_INITIAL_THROUGHPUT = 20.0  # inputs per second, assumed before the first batch


@dataclass(eq=False)
class _Job:
    """The inputs of one request, and the embeddings so far."""

    items: Sequence[Any]
    done: asyncio.Future[Array]
    parts: list[Array] = field(default_factory=list)
    taken: int = 0  # leading items that are, or were, in a batch
    since: float = field(default_factory=time.perf_counter)
    request: RequestRecord = field(default_factory=current_request)

    def remaining(self) -> int:
        """Count the items that are in no batch yet."""
        return len(self.items) - self.taken


class Batcher:
    """One thread for the model, and a queue for each modality; an asynchronous context manager.

    Parameters
    ----------
    model : ModelOnDemand
    settings : Settings
        Of which `batch_size` and `max_waiting` are used.
    metrics : Metrics
    """

    def __init__(self, model: ModelOnDemand, settings: Settings, metrics: Metrics) -> None:
        self._compute: dict[Modality, Callable[[Sequence[Any]], Array]] = {
            "pictures": model.embed_pixels,
            "texts": lambda rows: model.encode_text(np.stack(rows), normalize=True),
        }
        most = settings.batch_size
        self._max_batch: dict[Modality, int] = {"pictures": most, "texts": _TEXTS_PER_IMAGE * most}
        self._settings = settings
        self._metrics = metrics
        self._queues: dict[Modality, deque[_Job]] = {modality: deque() for modality in MODALITIES}
        self._admitted = 0  # inputs, from admission to the end of their request
        self._decoding = 0  # admitted inputs that are not queued yet
        self._throughput = _INITIAL_THROUGHPUT
        self._arrived = asyncio.Event()
        self._is_stopping = False

    @property
    def waiting(self) -> int:
        """Inputs that are waiting, or being embedded."""
        return self._admitted

    async def __aenter__(self) -> Batcher:
        """Start the thread."""
        self._thread = ThreadPoolExecutor(1, "numpyclip-batches")
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Finish the current batch, unless that takes long, and stop; jobs still queued are rejected."""
        self._is_stopping = True
        self._arrived.set()
        _, running = await asyncio.wait([self._task], timeout=SHUTDOWN_TIMEOUT)
        self._thread.shutdown(wait=not running)
        for job in itertools.chain(*self._queues.values()):
            if not job.done.done():
                job.done.set_exception(OverloadedError("the server is shutting down; try again soon.", 5, 503))

    def check_room(self) -> None:
        """Raise OverloadedError if `max_waiting` inputs are waiting."""
        if self._admitted >= self._settings.max_waiting:
            wait = self._admitted / self._throughput
            raise OverloadedError(f"{self._admitted} inputs are waiting already; try again soon.", wait)

    @contextmanager
    def admit(self, modality: Modality, count: int) -> Iterator[Embed]:
        """Count inputs as waiting inside the ``with`` block, which includes their decoding.

        Yields
        ------
        callable
            Embeds preprocessed images, or rows of token IDs: ndarray of shape (n, embed_dim), dtype=float32, of unit
            length.

        Raises
        ------
        OverloadedError
            If `max_waiting` inputs are waiting. A request is admitted in full, even if it exceeds the limit by itself.
        """
        self.check_room()
        self._admitted += count
        self._decoding += count
        decoding = count
        self._metrics.waiting.inc(count)

        async def embed(items: Sequence[Any]) -> Array:
            nonlocal decoding
            self._decoding -= decoding
            decoding = 0
            return await self._embed(modality, items)

        try:
            yield embed
        finally:
            self._admitted -= count
            self._decoding -= decoding
            self._arrived.set()  # ends the wait for inputs that were not decoded after all
            self._metrics.waiting.dec(count)

    async def _embed(self, modality: Modality, items: Sequence[Any]) -> Array:
        job = _Job(items, asyncio.get_running_loop().create_future())
        self._queues[modality].append(job)
        self._arrived.set()
        try:
            return await job.done
        finally:
            if job in self._queues[modality]:  # the client disconnected, or its time is over
                self._queues[modality].remove(job)

    async def _run(self) -> None:
        for modality in itertools.cycle(MODALITIES):  # alternating, so that many inputs of one do not delay the other
            while not (any(self._queues.values()) or self._is_stopping):
                self._arrived.clear()
                await self._arrived.wait()
            if not self._is_stopping:
                await self._wait_for_decoders()
            if self._is_stopping:
                return
            batch = self._next_batch(modality)
            if batch:
                await self._compute_batch(modality, batch)

    async def _wait_for_decoders(self) -> None:
        """Wait briefly for images that are being decoded, unless a full batch is queued."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _MAX_DECODE_WAIT
        while (
            self._decoding
            and not self._is_stopping
            and sum(map(_Job.remaining, self._queues["pictures"])) < self._max_batch["pictures"]
        ):
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), end - loop.time())
            except asyncio.TimeoutError:  # its own class until Python 3.11
                return

    def _next_batch(self, modality: Modality) -> list[tuple[_Job, Sequence[Any]]]:
        """Take the oldest items from the queue, across requests, until the batch is full."""
        batch, room, queue = [], self._max_batch[modality], self._queues[modality]
        while queue and room:
            job = queue[0]
            if not job.taken:
                job.request.queue_seconds += time.perf_counter() - job.since
            items = job.items[job.taken : job.taken + room]
            batch.append((job, items))
            job.taken += len(items)
            room -= len(items)
            if not job.remaining():
                queue.popleft()
        return batch

    async def _compute_batch(self, modality: Modality, batch: list[tuple[_Job, Sequence[Any]]]) -> None:
        inputs = [item for _, items in batch for item in items]
        start = time.perf_counter()
        try:
            loop = asyncio.get_running_loop()
            embeddings = await loop.run_in_executor(self._thread, self._compute[modality], inputs)
        except Exception as error:
            for job, _ in batch:
                if not job.done.done():
                    job.done.set_exception(error)
            return
        seconds = time.perf_counter() - start
        self._throughput += 0.2 * (len(inputs) / seconds - self._throughput)
        kind = _KINDS[modality]
        self._metrics.embedded.labels(kind).inc(len(inputs))
        self._metrics.batches.labels(kind).observe(len(inputs))
        end = 0
        for job, items in batch:
            job.request.compute_seconds += seconds
            job.parts.append(embeddings[end : end + len(items)])
            end += len(items)
            if job.taken == len(job.items) == sum(map(len, job.parts)) and not job.done.done():
                job.done.set_result(np.concatenate(job.parts))
