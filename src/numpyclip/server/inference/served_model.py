"""A model as requests use it: loaded on demand, with validation and dynamic batching of inputs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException

from numpyclip.dispatch.fields import FieldError
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, NumPyCLIPError, PictureError
from numpyclip.file_systems import is_web
from numpyclip.images.formats import identify
from numpyclip.images.pillow_limits import quietly
from numpyclip.model.config import CLIPConfig
from numpyclip.model.ops import Array
from numpyclip.runtime.finite_embeddings import checked_finite
from numpyclip.server.http.base64_images import decode_base64
from numpyclip.server.inference.batching import Batcher
from numpyclip.server.inference.model_on_demand import ModelOnDemand, ModelSource
from numpyclip.server.inference.thread_pools import ThreadPools
from numpyclip.server.monitoring.prometheus import Metrics
from numpyclip.server.outgoing.image_urls import Fetcher
from numpyclip.server.settings import Settings

Rows: TypeAlias = "Array | tuple[()]"
_MAX_CHARACTERS = 1_000_000  # of all texts of a request
_SLOW_FORMATS = ("JPEG2000",)  # Pillow decodes a million pixels a second, and no other thread runs meanwhile
_MAX_SLOW_PIXELS = 1_000_000
_INLINE_LENGTH = 4000  # characters that are tokenized faster than a thread is woken
_LOG = logging.getLogger("numpyclip.server")


def check_decoding_time(data: bytes, name: str) -> None:
    """Raise PictureError if decoding the image of a client would block all other requests."""
    try:
        with quietly(), identify(BytesIO(data)) as image:
            (width, height), is_slow = image.size, image.format in _SLOW_FORMATS
    except Exception:  # what is wrong with it is said when it is decoded
        return
    if is_slow and width * height > _MAX_SLOW_PIXELS:
        raise PictureError(
            f"{name}: is {image.format} of {width} x {height} pixels; expected at most {_MAX_SLOW_PIXELS}, or another "
            "format."
        )


class ServedModel:
    """A model by name, with a batcher of its own; see `Service.using`.

    Attributes
    ----------
    source : ModelSource
    name : str
        As in responses.
    on_demand : ModelOnDemand
    """

    def __init__(
        self, source: ModelSource, settings: Settings, metrics: Metrics, threads: ThreadPools, fetcher: Fetcher
    ) -> None:
        self.source, self.name = source, source.name
        self.on_demand = ModelOnDemand(source)
        self.batcher = Batcher(self.on_demand, settings, metrics)
        self._settings = settings
        self._threads = threads
        self._fetcher = fetcher
        self._loading: asyncio.Future[CLIP] | None = None

    @asynccontextmanager
    async def using(self) -> AsyncIterator[ServedModel]:
        """Load it, once for all requests, and keep it for the length of a block; HTTPException 503 if that fails."""
        with self.on_demand.used():
            if not self.on_demand.is_loaded:
                await self._load()
            yield self

    async def _load(self) -> None:
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._threads.run(self.on_demand.load))
            self._loading.add_done_callback(self._has_loaded)
        try:
            await asyncio.shield(self._loading)
        except (NumPyCLIPError, OSError, MemoryError) as error:
            raise HTTPException(503, f"{self.name} cannot be loaded; the log of the server says why.") from error

    def _has_loaded(self, loading: asyncio.Future[CLIP]) -> None:
        self._loading = None
        if not loading.cancelled() and (error := loading.exception()):
            _LOG.error("%s cannot be loaded: %s", self.name, error)

    @property
    def model(self) -> CLIP:
        """The model, for those that use it."""
        return self.on_demand.load()

    @property
    def config(self) -> CLIPConfig:
        """Its sizes and options, for those that use it: nothing is loaded here, in the event loop."""
        assert self.on_demand.known_config is not None
        return self.on_demand.known_config

    def check_input_count(self, count: int, field: str = "") -> None:
        """Raise FieldError unless there are 1 to `max_inputs` inputs."""
        if not 0 < count <= self._settings.max_inputs:
            raise FieldError(f"{count} inputs; expected 1 to {self._settings.max_inputs} in a request.", field)

    def check_text_count(self, count: int) -> None:
        """Raise InputError if there are no texts, too many, or the model has no text tower."""
        self.check_input_count(count)
        if self.config.text is None:
            raise InputError("this model embeds images only.")

    def check_length(self, characters: int) -> None:
        """Raise InputError if the texts of a request are too long together: tokenizing cannot be stopped."""
        if characters > _MAX_CHARACTERS:
            raise InputError(f"texts of {characters} characters; expected at most {_MAX_CHARACTERS} in a request.")

    async def tokenize(self, texts: Sequence[str], *, truncate: bool = True) -> NDArray[np.int32]:
        """Tokenize texts: (n, context_length).

        Raises
        ------
        TextTooLongError
            If a text is too long and `truncate` is False.
        OverloadedError
            If the queue is full, before time is spent on them.
        """
        self.check_text_count(len(texts))
        self.batcher.check_room()
        length = sum(map(len, texts))
        self.check_length(length)
        if length < _INLINE_LENGTH:
            return self.model.tokenize(texts, truncate)
        return await self._threads.run(self.model.tokenize, texts, truncate)

    async def embed(self, texts: Sequence[str], images: Sequence[bytes | str]) -> tuple[Rows, Rows]:
        """Embed texts and images, of either of which there may be none."""
        if count := len(texts) + len(images):
            self.check_input_count(count)
        return await self.embed_texts(texts) if texts else (), await self.embed_images(images) if images else ()

    async def embed_texts(self, texts: Sequence[str], *, truncate: bool = True) -> Array:
        """Embed texts: (n, embed_dim). See `tokenize`."""
        return await self.embed_ids(await self.tokenize(texts, truncate=truncate))

    async def embed_ids(self, ids: NDArray[np.int32]) -> Array:
        """Embed tokenized texts (n, context_length): (n, embed_dim).

        Raises
        ------
        InputError
            If an embedding is not finite.
        """
        with self.batcher.admit("texts", len(ids)) as embed:
            return checked_finite(await embed(list(ids)), lambda number: f"input {number}")

    async def embed_images(self, images: Sequence[bytes | str]) -> Array:
        """Embed images: bytes of files, data URIs, base64, or URLs of allowed hosts: (n, embed_dim).

        Raises
        ------
        InputError
            If an embedding is not finite.
        """
        self.check_input_count(len(images))
        if self.config.vision is None:
            raise InputError("this model embeds texts only.")
        with self.batcher.admit("pictures", len(images)) as embed:
            names = [f"image {number}" for number in range(len(images))] if len(images) > 1 else ["image"]
            work = (self._pixels(*named) for named in zip(images, names, strict=True))
            results = await asyncio.gather(*work, return_exceptions=True)
            for result in results:  # errors are raised once all are done, so that no thread works for a failed request
                if isinstance(result, BaseException):
                    raise result
            return checked_finite(await embed(results), names.__getitem__)

    async def _pixels(self, image: bytes | str, name: str) -> NDArray[np.uint8]:
        if isinstance(image, bytes) or not is_web(image):
            return await self._threads.decode(self._preprocess, image, name)
        async with self._fetcher.slots:
            data = await self._fetcher.fetch(image, self._settings.max_bytes)
            return await self._threads.decode(self._preprocess, data, name)

    def _preprocess(self, image: bytes | str, name: str) -> NDArray[np.uint8]:
        data = decode_base64(image, name) if isinstance(image, str) else image
        check_decoding_time(data, name)
        return self.on_demand.preprocess.read(data, self._settings.decode_options, name=name)
