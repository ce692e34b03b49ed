"""What all shapes of requests have in common: a model, what is embedded with it, and an index."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException

from numpyclip.errors import InputError, PictureError, StoreError
from numpyclip.index.index import Index
from numpyclip.index.records import Match
from numpyclip.model.ops import Array
from numpyclip.runtime.clip import CLIP
from numpyclip.server.batching import Batcher
from numpyclip.server.fetching import fetch, is_address
from numpyclip.server.metrics import Metrics
from numpyclip.server.problems import Busy, bad_request
from numpyclip.server.settings import Settings
from numpyclip.server.uploads import decode_base64, open_upload

_T = TypeVar("_T")
_SHORT = 4000  # letters that are tokenized in less time than it takes to hand them to a thread


class Service:
    """A model at work. Use it as a context.

    Parameters
    ----------
    model : CLIP
    name : str
        Of the model, as answers say it.
    place : str or None
        Of the index; it need not be there yet.
    settings : Settings
    """

    def __init__(self, model: CLIP, name: str, place: str | None, settings: Settings) -> None:
        self.model = model
        self.name = name
        self.settings = settings
        self.metrics = Metrics()
        self.batcher = Batcher(model, settings, self.metrics)
        self._place = place
        self._index: Index | None = None

    async def __aenter__(self) -> Service:
        """Start its threads, and make the model ready for the first request."""
        self._threads = ThreadPoolExecutor(max(4, os.cpu_count() or 1), "numpyclip-requests")
        await asyncio.get_running_loop().run_in_executor(self._threads, self._warm_up)
        await self.batcher.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop them."""
        await self.batcher.__aexit__(*exc)
        await asyncio.to_thread(self._threads.shutdown)
        if self._index is not None:
            self._index.close()

    def _warm_up(self) -> None:
        if self.model.config.text is not None:
            self.model.embed_texts("a picture")
        if self.model.config.vision is not None:
            self.model.embed_images(np.zeros((8, 8, 3), np.uint8))
        try:
            index = self._opened()
            _ = index.background
        except (HTTPException, InputError, StoreError):
            pass  # a request that needs it will hear why

    async def in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a function that takes a while, without holding up other requests.

        Raises
        ------
        Busy
            If it is not done in time; it goes on, and its result is dropped.
        """
        future = asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        try:
            return await asyncio.wait_for(future, self.settings.timeout)
        except asyncio.TimeoutError:  # its own class until Python 3.11
            raise Busy(f"not done in {self.settings.timeout:g} s; try again later.", 5, 503) from None

    def check_name(self, name: str | None) -> None:
        """Refuse a request for another model: embeddings of two models do not compare."""
        if name and self.settings.names and name not in self.settings.names:
            known = ", ".join(self.settings.names)
            raise HTTPException(404, f"model {name:.100} is not here; this server has {known}.")

    def check_count(self, count: int) -> None:
        """Refuse a request for too many embeddings, or none."""
        if not 0 < count <= self.settings.max_inputs:
            raise bad_request(f"{count} inputs; expected 1 to {self.settings.max_inputs} in a request.")

    def check_texts(self, texts: Sequence[str]) -> None:
        """Refuse texts, if they are too many or the model takes none."""
        self.check_count(len(texts))
        if self.model.config.text is None:
            raise bad_request("this model embeds pictures only.")

    async def embed_texts(self, texts: Sequence[str], *, truncate: bool = True) -> Array:
        """Embed texts: (n, embed_dim).

        Raises
        ------
        TextTooLongError
            If one is too long, unless it may be cut.
        """
        self.check_texts(texts)
        if not truncate:
            await self.tokenize(texts)
        with self.batcher.admitted("texts", len(texts)) as embed:
            return await embed(texts)

    async def tokenize(self, texts: Sequence[str], *, truncate: bool = False) -> NDArray[np.int32]:
        """Turn texts into ids."""
        if sum(map(len, texts)) < _SHORT:
            return self.model.tokenize(texts, truncate)
        return await self.in_thread(self.model.tokenize, texts, truncate)

    async def embed_pictures(self, pictures: Sequence[bytes | str]) -> Array:
        """Embed pictures: bytes of files, data URIs, or addresses where those may be fetched."""
        embeddings, _ = await self.embed_and_measure(pictures)
        return embeddings

    async def embed_and_measure(self, pictures: Sequence[bytes | str]) -> tuple[Array, list[tuple[int, int]]]:
        """Embed pictures, and tell how wide and high each is."""
        self.check_count(len(pictures))
        if self.model.config.vision is None:
            raise bad_request("this model embeds texts only.")
        with self.batcher.admitted("pictures", len(pictures)) as embed:
            names = [f"picture {number}" if len(pictures) > 1 else "picture" for number in range(len(pictures))]
            work = (self.in_thread(self._crop, *named) for named in zip(pictures, names, strict=True))
            results = await asyncio.gather(*work, return_exceptions=True)
            crops, sizes = [], []
            for result in results:  # all are done: none goes on when the first error is raised
                if isinstance(result, BaseException):
                    raise result
                crops.append(result[0])
                sizes.append(result[1])
            return await embed(crops), sizes

    def _crop(self, picture: bytes | str, name: str) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        if isinstance(picture, str):
            if is_address(picture):
                limits = self.settings
                picture = fetch(picture, limits.fetch_hosts, limits.max_body, limits.timeout)
            else:
                picture = decode_base64(picture, name)
        image = open_upload(picture, self.settings.max_pixels, name)
        try:
            return self.model.preprocess.crop(image), image.size
        except PictureError as error:
            raise PictureError(f"{name}: {error}") from error

    def index(self) -> Index:
        """Return the index. It reads files: call it in a thread.

        Raises
        ------
        HTTPException
            If there is none.
        """
        try:
            index = self._opened()
        except StoreError as error:
            raise HTTPException(404, f"there is no index to search: {error}") from error
        except InputError as error:
            raise HTTPException(503, f"the index cannot be searched: {error}") from error
        found = index.store.fingerprint
        if found is not None and found != self.model.fingerprint:
            raise HTTPException(503, "the index was made anew with another model; restart the server.")
        return index

    def _opened(self) -> Index:
        if self._place is None:
            raise HTTPException(404, "this server has no index to search.")
        if self._index is None:
            self._index = Index(self._place, self.model)
        return self._index

    def picture(self, number: int) -> Match:
        """Return a picture of the index by its number.

        Raises
        ------
        HTTPException
            If there is none.
        """
        match = self.index().store.picture(number)
        if match is None:
            raise HTTPException(404, f"there is no picture {number} in the index.")
        return match
