"""IMAGES → EMBEDDINGS: the pipeline that Python, the command line, the tasks and the index share.

Images are read on threads, at most a batch ahead of the one that is embedded, so that memory does not grow with their
number. A caller passes a `read` function if it wants more of an image than its embedding.
"""

from __future__ import annotations

import hashlib
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import OnError, error_handler
from numpyclip.errors import InputError, PictureError
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.find import FileState
from numpyclip.images.open import Picture, file_content, has_state
from numpyclip.images.preprocess import Preprocess
from numpyclip.images.views import CROP, View, read_views
from numpyclip.model.ops import Array
from numpyclip.runtime.chunks import batched, checked_batch_size
from numpyclip.runtime.finite_embeddings import NOT_FINITE, NotFinite, any_finite, finite_rows
from numpyclip.runtime.prefetch import prefetch

_T = TypeVar("_T")
_X = TypeVar("_X")
_Pixels: TypeAlias = NDArray[np.uint8]

_MOST_WAITING = 10  # batches of pictures that need no embedding, behind some that do


@dataclass(frozen=True, eq=False)
class Reading(Generic[_X]):
    """What was read of an image."""

    pixels: Mapping[str, _Pixels] = field(default_factory=dict)  # of its views by name, to be embedded
    embedding: Array | None = None  # of its crop, (embed_dim,), if it is known already
    extra: _X | None = None  # what else the caller wants of it
    name: str | None = None  # in messages; by default its path or position


@dataclass(frozen=True, eq=False)
class Embedded(Generic[_T, _X]):
    """An image with its embedding, or with the error that prevented it.

    Attributes
    ----------
    picture : object
        As it was given.
    position : int
        Index among the given images, from 0.
    embedding : ndarray of shape (embed_dim,), dtype=float32, or None
        Of unit length; of several views, that of the first.
    views : mapping of str to ndarray
        The embedding of each view by its name: "crop", or what was asked for, such as "left".
    error : PictureError, InputError or None
        Why there is no embedding.
    extra : object or None
        What the `read` function took from it besides.
    """

    picture: _T
    position: int
    embedding: Any = field(default=None, repr=False)
    error: PictureError | InputError | None = None
    extra: _X | None = None
    views: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def _with(self, views: Mapping[str, Any]) -> Embedded[_T, _X]:
        """Take the embeddings of its views."""
        return replace(self, embedding=next(iter(views.values())), views=views) if views else self


class Known(Protocol):
    """Embeddings computed earlier, such as those of an index. Called from many threads."""

    def of_file(self, path: str | os.PathLike[str]) -> Array | None:
        """Look up a file, which must not have changed since it was embedded."""

    def of_digest(self, digest: bytes) -> Array | None:
        """Look up the SHA-256 of a file's content."""


@dataclass(frozen=True)
class PictureReader:
    """The usual `read` function."""

    preprocess: Preprocess
    options: DecodeOptions = DEFAULTS
    known: Known | None = None  # where files and their contents are looked up before they are decoded
    with_metadata: bool = False  # whether `extra` is the `ImageMetadata` of a file, or of its content
    views: Sequence[View] = CROP  # to be made of it; others than the crop are not known

    def __call__(self, picture: Picture, name: str | None = None) -> Reading[Any]:
        """Read an image, unless its embedding is known."""
        if not isinstance(picture, bytes | str | os.PathLike) or not (self.known or self.with_metadata):
            return Reading(self._pixels(picture, name), name=name)
        if isinstance(picture, bytes):
            return self._of_content(picture, name or f"an image of {len(picture)} bytes")
        embedding = None if self.known is None else self.known.of_file(picture)
        if embedding is not None and not self.with_metadata:
            return Reading(embedding=embedding)
        state = FileState.of(picture) if self.with_metadata else None  # before it is read, so that changes are noticed
        with file_content(picture) as data:
            return self._of_content(data, name or os.fsdecode(picture), embedding, state)

    def _of_content(
        self, data: bytes, name: str, embedding: Array | None = None, state: FileState | None = None
    ) -> Reading[Any]:
        digest = hashlib.sha256(data).digest()
        if embedding is None and self.known is not None:
            embedding = self.known.of_digest(digest)
        pixels = self._pixels(data, name) if embedding is None else {}
        if not self.with_metadata:
            return Reading(pixels, embedding, None, name)
        from numpyclip.images.exif import read_exif  # and XMP, which only an index needs
        from numpyclip.images.metadata import ImageMetadata

        return Reading(pixels, embedding, ImageMetadata(digest, read_exif(data, name), state), name)

    def _pixels(self, picture: Picture, name: str | None) -> Mapping[str, _Pixels]:
        return read_views(self.preprocess, self.views, picture, self.options, name=name)


def _checked(record: Embedded[_T, _X], name: str | None) -> Embedded[_T, _X]:
    """Put an error into a record in the place of an embedding that is not finite."""
    if all(map(finite_rows, record.views.values())):
        return record
    if name is None:
        picture: object = record.picture
        name = os.fsdecode(picture) if isinstance(picture, str | os.PathLike) else f"image {record.position}"
    return Embedded(record.picture, record.position, error=NotFinite(f"{name}: {NOT_FINITE}"))


def iter_embeddings(
    compute: Callable[[Sequence[_Pixels]], Iterable[Any]],
    pictures: Iterable[_T],
    read: Callable[[_T], Reading[_X]],
    *,
    batch_size: int = 32,
    on_error: OnError = "raise",
    in_turn: Callable[[_T], bool] = has_state,
) -> Iterator[Embedded[_T, _X]]:
    """Embed images one after another, in constant memory.

    Parameters
    ----------
    compute : callable
        Given a list of pixels, returns as many embeddings.
    pictures : iterable
        Whatever `read` takes.
    read : callable
        Given one of them, returns a `Reading`. Called on threads.
    batch_size : int, default=32
        Number of images, or views, that are embedded together, and of images read ahead.
    on_error : {"raise", "skip"} or callable, default="raise"
        If an image cannot be read: raise the error, which names the image and its position, or yield a record with the
        error. A callable is called with the error before the record is yielded.
    in_turn : callable, optional
        Tells which images are read before the next one is requested; by default objects that their owner may change.

    Yields
    ------
    Embedded
        One for each image, in order.
    """
    size = checked_batch_size(batch_size)
    handle = error_handler(on_error)
    is_single = operator.length_hint(pictures, 2) == 1

    def attempt(numbered: tuple[int, _T]) -> tuple[Embedded[_T, _X], Reading[_X]]:
        position, picture = numbered
        try:
            reading = read(picture)
        except (PictureError, InputError) as error:
            if on_error == "raise" and not is_single:
                error.args = (f"{error.args[0]} It is image {position}, counted from 0.",)
            return Embedded(picture, position, error=error), Reading()
        known = {} if reading.embedding is None else {"crop": reading.embedding}
        return Embedded(picture, position, extra=reading.extra)._with(known), reading

    is_sound = False  # whether an embedding was finite, so that the weights are not to blame for all

    def finished(waiting: list[tuple[Embedded[_T, _X], Reading[_X]]]) -> Iterator[Embedded[_T, _X]]:
        """Embed the pixels of a batch; errors are raised or told in their turn."""
        nonlocal is_sound
        to_embed = chain.from_iterable(reading.pixels.values() for _, reading in waiting)
        embeddings = chain.from_iterable(map(compute, batched(to_embed, size)))
        batch = [
            _checked(record._with({name: next(embeddings) for name in reading.pixels}), reading.name)
            for record, reading in waiting
        ]
        is_sound = is_sound or any_finite(
            [record.error if record.embedding is None else record.embedding for record in batch]
        )
        for done in batch:
            if done.error is not None:
                handle(done.error)
            yield done

    def stream() -> Iterator[Embedded[_T, _X]]:
        waiting: list[tuple[Embedded[_T, _X], Reading[_X]]] = []
        to_embed = 0
        for record, reading in prefetch(
            attempt, enumerate(pictures), size - 1, by_caller=lambda numbered: in_turn(numbered[1])
        ):
            waiting.append((record, reading))
            to_embed += bool(reading.pixels)
            if to_embed in (0, size) or len(waiting) >= _MOST_WAITING * size:
                yield from finished(waiting)
                waiting, to_embed = [], 0
        yield from finished(waiting)

    return stream()
