"""PICTURES → EMBEDDINGS: the one road of Python, the command line, the tasks and the index.

What is read runs ahead of what is embedded, on threads, by a batch at most, so that any number of pictures needs the
memory of a few. A caller brings a `read` function where it wants more of a picture than its embedding.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import OnError, error_handler
from numpyclip.errors import InputError, PictureError
from numpyclip.images.open import Picture, file_content, has_state
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.ops import Array
from numpyclip.runtime.chunks import batched, checked_batch_size
from numpyclip.runtime.prefetch import prefetch

_T = TypeVar("_T")
_X = TypeVar("_X")

_MOST_WAITING = 10  # batches of pictures that need no embedding, behind some that do


@dataclass(frozen=True, eq=False)
class Reading(Generic[_X]):
    """What was read of a picture.

    Attributes
    ----------
    pixels : ndarray of shape (y, x, 3), dtype=uint8, optional
        Of `Preprocess.crop`, to be embedded.
    embedding : ndarray of shape (embed_dim,), dtype=float32, optional
        If it is known already.
    extra : object, optional
        What else the caller wants of it.
    """

    pixels: NDArray[np.uint8] | None = None
    embedding: Array | None = None
    extra: _X | None = None


@dataclass(frozen=True, eq=False)
class Embedded(Generic[_T, _X]):
    """A picture with its embedding, or with what keeps it from having one.

    Attributes
    ----------
    picture : object
        As it was given.
    position : int
        Among those that were given, from 0.
    embedding : ndarray of shape (embed_dim,), dtype=float32, or None
        Of unit length.
    error : PictureError, InputError or None
        Why there is none.
    extra : object or None
        What the `read` function took from it besides.
    """

    picture: _T
    position: int
    embedding: Any = None
    error: PictureError | InputError | None = None
    extra: _X | None = None


class Known(Protocol):
    """Embeddings that there are already, such as those of an index."""

    def of_files(self, paths: Sequence[Any]) -> Sequence[Array | None]:
        """Look up files that have not changed since they were embedded; None for the others, and what is no path."""

    def of_digest(self, digest: bytes) -> Array | None:
        """Look up the SHA-256 of a file's content."""


@dataclass(frozen=True)
class PictureReader:
    """Read a picture and nothing else: the usual `read` function.

    Attributes
    ----------
    preprocess : Preprocess
    orient : bool, default=True
        Apply the EXIF orientation.
    draft : bool, default=False
        Decode large JPEG files at a reduced size.
    known : Known, optional
        Where the contents of files are looked up before they are decoded.
    """

    preprocess: Preprocess
    orient: bool = True
    draft: bool = False
    known: Known | None = None

    def __call__(self, picture: Picture, embedding: Array | None = None, name: str | None = None) -> Reading[Any]:
        """Read a picture, unless its embedding is known."""
        if embedding is None and self.known is not None:
            if isinstance(picture, str | os.PathLike):
                name = name or os.fsdecode(picture)
                picture = file_content(picture)
            if isinstance(picture, bytes):
                embedding = self.known.of_digest(hashlib.sha256(picture).digest())
        if embedding is not None:
            return Reading(embedding=embedding)
        return Reading(self.preprocess.read(picture, orient=self.orient, draft=self.draft, name=name))


def iter_embeddings(
    compute: Callable[[Sequence[NDArray[np.uint8]]], Iterable[Any]],
    pictures: Iterable[_T],
    read: Callable[[_T, Array | None], Reading[_X]],
    *,
    batch_size: int = 32,
    on_error: OnError = "raise",
    look_up: Callable[[Sequence[_T]], Sequence[Array | None]] | None = None,
) -> Iterator[Embedded[_T, _X]]:
    """Embed pictures one after another, in flat memory.

    Parameters
    ----------
    compute : callable
        Given a list of pixels, returns as many embeddings.
    pictures : iterable
        Whatever `read` takes.
    read : callable
        Given a picture, and its embedding if that is known, returns a `Reading`. It is called on threads, but for
        objects that their owner may change, which are read before the next one is asked for.
    batch_size : int, default=32
        How many pictures are embedded together, and read ahead.
    on_error : {"raise", "skip"} or callable, default="raise"
        What happens to a picture that cannot be read: raise the error, which names the picture and its position; or
        yield a record with the error in it; a callable is given the error before that.
    look_up : callable, optional
        Finds what is known of some pictures.

    Yields
    ------
    Embedded
        One for each picture, in order.
    """
    size = checked_batch_size(batch_size)
    error_handler(on_error)  # which checks it

    def attempt(numbered: tuple[int, tuple[_T, Array | None]]) -> tuple[Embedded[_T, _X], NDArray[np.uint8] | None]:
        position, (picture, embedding) = numbered
        try:
            reading = read(picture, embedding)
        except (PictureError, InputError) as error:
            return Embedded(picture, position, error=error), None
        return Embedded(picture, position, reading.embedding, extra=reading.extra), reading.pixels

    def stream() -> Iterator[Embedded[_T, _X]]:
        waiting: list[tuple[Embedded[_T, _X], NDArray[np.uint8] | None]] = []
        to_embed = 0
        numbered = enumerate(_with_known(pictures, look_up, size))
        for record, pixels in prefetch(attempt, numbered, size - 1, by_caller=lambda item: has_state(item[1][0])):
            waiting.append((record, pixels))
            to_embed += pixels is not None
            if to_embed in (0, size) or len(waiting) >= _MOST_WAITING * size:
                yield from _finished(waiting, compute, on_error)
                waiting, to_embed = [], 0
        yield from _finished(waiting, compute, on_error)

    return stream()


def _with_known(
    pictures: Iterable[_T], look_up: Callable[[Sequence[_T]], Sequence[Array | None]] | None, size: int
) -> Iterator[tuple[_T, Array | None]]:
    """Put beside each picture its embedding, if it is known."""
    if look_up is None:
        yield from ((picture, None) for picture in pictures)
        return
    for batch in batched(pictures, size):
        yield from zip(batch, look_up(batch), strict=True)


def _finished(
    waiting: list[tuple[Embedded[_T, _X], NDArray[np.uint8] | None]],
    compute: Callable[[Sequence[NDArray[np.uint8]]], Iterable[Any]],
    on_error: OnError,
) -> Iterator[Embedded[_T, _X]]:
    """Embed the pixels of a batch; errors are raised or told in their turn."""
    pixels = [found for _, found in waiting if found is not None]
    embeddings = iter(compute(pixels) if pixels else ())
    for record, found in waiting:
        if found is not None:
            record = replace(record, embedding=next(embeddings))
        elif record.error is not None:
            if on_error == "raise":
                record.error.args = (f"{record.error.args[0]} It is picture {record.position}, counted from 0.",)
            error_handler(on_error)(record.error)
        yield record
