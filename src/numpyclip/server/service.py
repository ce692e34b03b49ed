"""The service layer shared by all APIs: embedding texts and images, and access to the index."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, StoreError
from numpyclip.index.index import Index
from numpyclip.index.records import Match
from numpyclip.model.ops import Array
from numpyclip.server.batching import Batcher
from numpyclip.server.image_urls import fetch, is_url
from numpyclip.server.prometheus import Metrics
from numpyclip.server.responses import bad_request, within
from numpyclip.server.settings import Settings
from numpyclip.server.uploads import check_upload, decode_base64

_T = TypeVar("_T")
_INLINE_LENGTH = 4000  # characters that are tokenized faster than a thread is woken


class Service:
    """A model, its batcher and an index; an asynchronous context manager.

    Parameters
    ----------
    model : CLIP
    name : str
        Name of the model, as in responses.
    store : str or None
        Path or PostgreSQL URL of the index, which may be created later.
    settings : Settings
    """

    def __init__(self, model: CLIP, name: str, store: str | None, settings: Settings) -> None:
        self.model = model
        self.name = name
        self.settings = settings
        self.metrics = Metrics()
        self.batcher = Batcher(model, settings, self.metrics)
        self._store = store
        self._index: Index | None = None

    async def __aenter__(self) -> Service:
        """Start the threads and warm up the model."""
        self._threads = ThreadPoolExecutor(max(4, os.cpu_count() or 1), "numpyclip-requests")
        await asyncio.get_running_loop().run_in_executor(self._threads, self._warm_up)
        await self.batcher.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop the threads and close the index."""
        await self.batcher.__aexit__(*exc)
        await asyncio.to_thread(self._threads.shutdown)
        if self._index is not None:
            self._index.close()

    def _warm_up(self) -> None:
        if self.model.config.text is not None:
            self.model.embed_texts("warm-up")
        if self.model.config.vision is not None:
            self.model.embed_images(np.zeros((8, 8, 3), np.uint8))
        try:
            index = self._open_index()
            _ = index.background
        except (HTTPException, InputError, StoreError):
            pass  # requests that need the index get the error

    async def run_in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a slow function without blocking the event loop.

        Raises
        ------
        OverloadedError
            After `timeout` seconds; the call continues, and its result is discarded.
        """
        future = asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        return await within(self.settings.timeout, future)

    def check_model_name(self, name: str | None) -> None:
        """Raise 404 if a request names another model: embeddings of different models are not comparable."""
        if name and self.settings.model_names and name not in self.settings.model_names:
            known = ", ".join(self.settings.model_names)
            raise HTTPException(404, f"model {name:.100} is not here; this server has {known}.")

    def check_input_count(self, count: int) -> None:
        """Raise 400 unless there are 1 to `max_inputs` inputs."""
        if not 0 < count <= self.settings.max_inputs:
            raise bad_request(f"{count} inputs; expected 1 to {self.settings.max_inputs} in a request.")

    def check_texts(self, texts: Sequence[str]) -> None:
        """Raise 400 if there are no texts, too many, or the model has no text tower."""
        self.check_input_count(len(texts))
        if self.model.config.text is None:
            raise bad_request("this model embeds images only.")

    async def embed_texts(self, texts: Sequence[str], *, truncate: bool = True) -> Array:
        """Embed texts: (n, embed_dim).

        Raises
        ------
        TextTooLongError
            If a text is too long and `truncate` is False.
        """
        self.check_texts(texts)
        if not truncate:
            await self.tokenize(texts)
        with self.batcher.admit("texts", len(texts)) as embed:
            return await embed(texts)

    async def tokenize(self, texts: Sequence[str], *, truncate: bool = False) -> NDArray[np.int32]:
        """Tokenize texts: int32 (n, length)."""
        if sum(map(len, texts)) < _INLINE_LENGTH:
            return self.model.tokenize(texts, truncate)
        return await self.run_in_thread(self.model.tokenize, texts, truncate)

    async def embed_images(self, images: Sequence[bytes | str]) -> Array:
        """Embed images: bytes of files, data URIs, base64, or URLs of allowed hosts: (n, embed_dim)."""
        self.check_input_count(len(images))
        if self.model.config.vision is None:
            raise bad_request("this model embeds texts only.")
        with self.batcher.admit("pictures", len(images)) as embed:
            names = [f"image {number}" for number in range(len(images))] if len(images) > 1 else ["image"]
            work = (self.run_in_thread(self._preprocess, *named) for named in zip(images, names, strict=True))
            results = await asyncio.gather(*work, return_exceptions=True)
            for result in results:  # errors are raised once all are done, so that no thread works for a failed request
                if isinstance(result, BaseException):
                    raise result
            return await embed(results)

    def _preprocess(self, image: bytes | str, name: str) -> NDArray[np.uint8]:
        if isinstance(image, bytes):
            data = image
        elif is_url(image):
            data = fetch(image, self.settings.fetch_hosts, self.settings.max_body, self.settings.timeout)
        else:
            data = decode_base64(image, name)
        check_upload(data, self.settings.max_pixels, name)
        return self.model.preprocess.read(data, self.settings.decode_options, name=name)

    def index(self) -> Index:
        """Open or return the index. It reads files: call it in a thread.

        Raises
        ------
        HTTPException
            404 if there is none; 503 if it cannot be used.
        """
        try:
            index = self._open_index()
        except StoreError as error:
            raise HTTPException(404, f"there is no index to search: {error}") from error
        except InputError as error:
            raise HTTPException(503, f"the index cannot be searched: {error}") from error
        found = index.store.fingerprint
        if found is not None and found != self.model.fingerprint:
            raise HTTPException(503, "the index was rebuilt with another model; restart the server.")
        return index

    def _open_index(self) -> Index:
        if self._store is None:
            raise HTTPException(404, "this server has no index to search.")
        if self._index is None:
            self._index = Index(self._store, self.model)
        return self._index

    def indexed_image(self, row_id: int) -> Match:
        """Return an image of the index by its ID.

        Raises
        ------
        HTTPException
            404 if there is none.
        """
        match = self.index().store.picture(row_id)
        if match is None:
            raise HTTPException(404, f"there is no image {row_id} in the index.")
        return match
