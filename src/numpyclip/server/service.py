"""The service layer shared by all APIs: embedding texts and images, and access to the index."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import CorruptCheckpointError, InputError, PictureError, StoreError
from numpyclip.images.formats import identify
from numpyclip.images.watch import quietly
from numpyclip.index.index import Index
from numpyclip.index.recorded_model import check_fit
from numpyclip.index.records import Match
from numpyclip.model.ops import Array
from numpyclip.runtime.finite import checked_finite
from numpyclip.server.base64_images import decode_base64
from numpyclip.server.batching import SHUTDOWN_TIMEOUT, Batcher
from numpyclip.server.best_tags import BestTags
from numpyclip.server.image_ids import ImageId
from numpyclip.server.image_urls import Fetcher, is_url
from numpyclip.server.prometheus import Metrics
from numpyclip.server.responses import bad_request
from numpyclip.server.settings import Settings
from numpyclip.videos.container import is_video_name

_T = TypeVar("_T")
_MAX_CHARACTERS = 1_000_000  # of all texts of a request
_SLOW_FORMATS = ("JPEG2000",)  # Pillow decodes a million pixels a second, and no other thread runs meanwhile
_MAX_SLOW_PIXELS = 1_000_000
_INLINE_LENGTH = 4000  # characters that are tokenized faster than a thread is woken


def check_decoding_time(data: bytes, name: str) -> None:
    """Raise PictureError if the image of a client would hold up all other requests."""
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
        self.fetcher = Fetcher(settings.fetch_hosts, private=settings.fetch_private)
        self.streams: set[Any] = set()  # responses that are being sent block by block
        self._store = store
        self._index: Index | None = None
        self._fitting: Fingerprint | None = None  # that of the index when it was last found to fit the model
        self._running: set[Future[Any]] = set()
        self.tags = BestTags(model, lambda load: self._started(self._threads, load))

    async def __aenter__(self) -> Service:
        """Start the threads and warm up the model."""
        count = max(4, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(count, "numpyclip-requests")
        self._decoders = ThreadPoolExecutor(count, "numpyclip-decoding")  # of their own: they wait for memory
        self._video_decoders = ThreadPoolExecutor(2, "numpyclip-videos")  # which take seconds
        self._parsers = ThreadPoolExecutor(2, "numpyclip-parsing")
        self._pools = (self._threads, self._decoders, self._video_decoders, self._parsers)
        await self.run_in_thread(self._start)
        await self.batcher.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop the threads and close the index, without waiting long for what cannot be interrupted."""
        self.fetcher.stop()
        await self.batcher.__aexit__(*exc)
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)
        running = [asyncio.wrap_future(future) for future in self._running]
        if running and (await asyncio.wait(running, timeout=SHUTDOWN_TIMEOUT))[1]:
            return  # a file that hangs: the index stays open for its thread
        for pool in self._pools:
            pool.shutdown()
        if self._index is not None:
            self._index.close()

    def warm_up(self) -> None:
        """Use the towers once, so that the first request is fast, and weights that are damaged are found before it."""
        if self.model.config.text is not None:
            self.model.embed_texts("warm-up")
        if self.model.config.vision is not None:
            self.model.embed_images(np.zeros((8, 8, 3), np.uint8))

    def _start(self) -> None:
        self.warm_up()
        try:
            index = self._open_index()
            _ = index.background
        except (HTTPException, InputError, CorruptCheckpointError, StoreError):
            pass  # requests that need the index get the error

    async def run_in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a slow function without blocking the event loop; not at all if the request ends before its turn."""
        return await self._run(self._threads, function, *arguments)

    async def decode(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a decoder of images, for which only other decoders wait."""
        return await self._run(self._decoders, function, *arguments)

    async def decode_file(self, function: Callable[..., _T], path: str, *arguments: object) -> _T:
        """Call a decoder of a file; for one of a video only others of videos wait."""
        pool = self._video_decoders if is_video_name(path) else self._decoders
        return await self._run(pool, function, path, *arguments)

    async def parse(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a parser without blocking the event loop."""
        return await self._run(self._parsers, function, *arguments)

    async def _run(self, pool: ThreadPoolExecutor, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.wrap_future(self._started(pool, function, *arguments))

    def _started(self, pool: ThreadPoolExecutor, function: Callable[..., _T], *arguments: object) -> Future[_T]:
        future = pool.submit(function, *arguments)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def check_model_name(self, name: str | None) -> None:
        """Raise 404 if a request names another model: embeddings of different models are not comparable.

        As in open_clip and Immich, case does not matter, and a hyphen is an underscore.
        """
        if name and self.settings.model_names and _plain(name) not in map(_plain, self.settings.model_names):
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
        self.check_length(sum(map(len, texts)))

    def check_length(self, characters: int) -> None:
        """Raise 400 if the texts of a request are too long together: tokenizing cannot be stopped."""
        if characters > _MAX_CHARACTERS:
            raise bad_request(f"texts of {characters} characters; expected at most {_MAX_CHARACTERS} in a request.")

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
        """Embed images: bytes of files, data URIs, base64, or URLs of allowed hosts: (n, embed_dim).

        Raises
        ------
        InputError
            If an embedding is not finite.
        """
        self.check_input_count(len(images))
        if self.model.config.vision is None:
            raise bad_request("this model embeds texts only.")
        with self.batcher.admit("pictures", len(images)) as embed:
            names = [f"image {number}" for number in range(len(images))] if len(images) > 1 else ["image"]
            work = (self._pixels(*named) for named in zip(images, names, strict=True))
            results = await asyncio.gather(*work, return_exceptions=True)
            for result in results:  # errors are raised once all are done, so that no thread works for a failed request
                if isinstance(result, BaseException):
                    raise result
            return checked_finite(await embed(results), names.__getitem__)

    async def _pixels(self, image: bytes | str, name: str) -> NDArray[np.uint8]:
        if isinstance(image, bytes) or not is_url(image):
            return await self.decode(self._preprocess, image, name)
        async with self.fetcher.slots:
            data = await self.fetcher.fetch(image, self.settings.max_bytes)
            return await self.decode(self._preprocess, data, name)

    def _preprocess(self, image: bytes | str, name: str) -> NDArray[np.uint8]:
        data = decode_base64(image, name) if isinstance(image, str) else image
        check_decoding_time(data, name)
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
        if found != self._fitting:
            try:
                check_fit(index.store, self.model)
            except InputError as error:
                raise HTTPException(503, "the index was rebuilt with another model; restart the server.") from error
            self._fitting = found
        return index

    def _open_index(self) -> Index:
        if self._store is None:
            raise HTTPException(404, "this server has no index to search.")
        if self._index is None:
            self._index = Index(self._store, self.model)
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
        return HTTPException(404, f"image {image.number} of the index is another one now; search again.")
    return HTTPException(404, f"there is no image {image} in the index.")


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
