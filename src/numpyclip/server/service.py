"""The service layer shared by all APIs: models by name, and access to the index."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.exceptions import HTTPException

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import CorruptCheckpointError, InputError, StoreError
from numpyclip.index.database import NoIndexError
from numpyclip.index.index import Index
from numpyclip.index.recorded_model import check_fit
from numpyclip.index.records import Match
from numpyclip.server.http.image_ids import ImageId
from numpyclip.server.http.responses import UnknownModelError
from numpyclip.server.inference.best_tags import BestTags
from numpyclip.server.inference.model_on_demand import ModelSource
from numpyclip.server.inference.served_model import ServedModel
from numpyclip.server.inference.thread_pools import ThreadPools
from numpyclip.server.monitoring.prometheus import Metrics
from numpyclip.server.outgoing.image_urls import Fetcher
from numpyclip.server.outgoing.immich_forward import ImmichForward
from numpyclip.server.settings import Settings

_MIN_WAIT = 0.1  # seconds between two looks for models that nobody uses
_LOG = logging.getLogger("numpyclip.server")


class Service:
    """The models by name, and an index; an asynchronous context manager.

    Parameters
    ----------
    models : sequence of ModelSource
        The index holds embeddings of the first, which requests use that name none.
    store : str or None
        Path or PostgreSQL URL of the index, which may be created later.
    settings : Settings
    """

    def __init__(self, models: Sequence[ModelSource], store: str | None, settings: Settings) -> None:
        self.settings = settings
        self.threads = ThreadPools()
        self.metrics = Metrics()
        self.fetcher = Fetcher(settings.fetch_hosts, private=settings.fetch_private)
        self.models = [ServedModel(source, settings, self.metrics, self.threads, self.fetcher) for source in models]
        self.first = self.models[0]
        self.immich_forward = ImmichForward(settings.immich_forward) if settings.immich_forward else None
        self.streams: set[Any] = set()  # responses that are being sent block by block
        self._model = self.first.on_demand
        self._store = store
        self._opening = threading.Lock()  # of the index, once for all who need it first
        self._index: Index | None = None
        self._fitting: Fingerprint | None = None  # that of the index when it was last found to fit the model
        self.tags = BestTags(self._model, self.threads.submit)

    async def __aenter__(self) -> Service:
        """Start the threads and load the first model."""
        self.threads.start()
        await self.threads.run(self._start)
        await asyncio.gather(*(model.batcher.__aenter__() for model in self.models))
        self._unloading = asyncio.create_task(self._unload_idle())
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop the threads and close the index, without waiting long for what cannot be interrupted."""
        self.fetcher.stop()
        self._unloading.cancel()
        await asyncio.gather(*(model.batcher.__aexit__(*exc) for model in self.models))
        if await self.threads.stop() and self._index is not None:  # else it stays open for a thread whose file hangs
            self._index.close()

    def _start(self) -> None:
        self._model.load()
        try:
            index = self._open_index()
            _ = index.background
        except (HTTPException, InputError, CorruptCheckpointError, StoreError):
            pass  # requests that need the index get the error

    async def _unload_idle(self) -> None:
        idle, models = self.settings.idle, [model.on_demand for model in self.models]
        while idle:
            await asyncio.sleep(max(_MIN_WAIT, min(model.seconds_left(idle) for model in models)))
            for model in models:
                if model.seconds_left(idle) <= 0 and await self.threads.run(model.unload, idle):
                    _LOG.info("%s is unloaded: nobody has used it for %g minutes.", model.source.name, idle / 60)

    def using(self, name: str | None = None) -> AbstractAsyncContextManager[ServedModel]:
        """Return a context manager of the model that a request names, which is loaded for as long as it is used.

        Raises
        ------
        UnknownModelError
            If there is none of this name.
        """
        return self.named(name).using()

    def named(self, name: str | None) -> ServedModel:
        """Return the model that a request names; embeddings of different models are not comparable.

        Raises
        ------
        UnknownModelError
            If there is none of this name.
        """
        if not name:
            return self.first
        if found := next((model for model in self.models if model.source.is_named(name)), None):
            return found
        raise UnknownModelError(name, [each for model in self.models for each in model.source.names])

    def index(self) -> Index:
        """Open or return the index. It reads files: call it in a thread.

        Raises
        ------
        HTTPException
            404 if there is none; 503 if it is of another model.
        StoreError
            If it cannot be read.
        """
        try:
            index = self._open_index()
        except NoIndexError as error:
            raise HTTPException(404, f"there is no index to search: {error}") from error
        except InputError as error:
            raise HTTPException(503, f"the index cannot be searched: {error}") from error
        found = index.store.fingerprint
        if found != self._fitting:
            try:
                check_fit(index.store, self._model)
            except InputError as error:
                raise HTTPException(503, "the index was rebuilt with another model; restart the server.") from error
            self._fitting = found
        return index

    def _open_index(self) -> Index:
        if self._store is None:
            raise HTTPException(404, "this server has no index to search.")
        with self._opening:
            if self._index is None:
                self._index = Index(self._store, self._model)
                self._fitting = self._index.store.fingerprint
            return self._index

    def indexed_image(self, image: ImageId) -> Match:
        """Return an image of the index by its ID, or the part of it that is named there.

        Raises
        ------
        HTTPException
            404 if there is none, or it is another one now.
        """
        match = self.index().store.picture(image.number, image.part)
        if match is None or not image.is_of(match.digest):
            raise _missing(image, match is not None)
        return match

    def digests_of(self, images: Sequence[ImageId]) -> list[bytes]:
        """Look up the SHA-256 of images by their IDs, of many in little time; 404 as of `indexed_image`."""
        known = self.index().store.digests([image.number for image in images])
        if lost := next((image for image in images if not image.is_of(known.get(image.number))), None):
            raise _missing(lost, lost.number in known)
        return [known[image.number] for image in images]


def _missing(image: ImageId, is_another: bool) -> HTTPException:
    if is_another:
        return HTTPException(404, f"the ID {image.number} now belongs to another image; search again.")
    return HTTPException(404, f"there is no image {image} in the index.")
