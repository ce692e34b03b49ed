"""INDEX → INDEX: the same images and texts, re-embedded with another model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.errors import InputError, PictureError, StoreError
from numpyclip.images.decode_options import DRAFT, DecodeOptions
from numpyclip.images.find import digest_of
from numpyclip.images.open import file_content
from numpyclip.images.views import View, checked_views, read_views, view_of
from numpyclip.index.picture_views import is_view, part_of
from numpyclip.index.records import WHOLE, PendingPicture, seconds_of
from numpyclip.index.store import Store
from numpyclip.index.video_files import moments_again
from numpyclip.model.ops import Array
from numpyclip.pipeline import Reading, iter_embeddings

_Read = TypeVar("_Read")


def migrate(
    store: Store,
    model: EmbeddingModel,
    *,
    batch_size: int = 32,
    options: DecodeOptions = DRAFT,
    report: Callable[[str], object] = lambda problem: None,
) -> Generator[int, None, None]:
    """Re-embed everything with another model; until all is done the embeddings of the previous one are searched.

    It resumes a migration that was interrupted, and yields how many more are done, batch by batch. It runs within
    `Store.writing`. `report` is called for each image of which no file can be read any more, which is removed.

    Raises
    ------
    InputError
        If the store has embeddings of this model already, or of images that are no files here, which could not be read
        again.
    StoreError
        If it has none.
    """
    if store.fingerprint is None:
        raise StoreError(f"{store.place}: holds no embeddings yet; there is nothing to migrate.")
    if store.fingerprint == model.fingerprint:
        raise InputError(f"{store.place}: holds embeddings of this model; there is nothing to migrate.")
    if (path := store.no_file()) is not None:
        raise InputError(
            f"{store.place}: holds images that are no files here, or had changed when they were imported, and cannot "
            f"be read again, such as {path}. Run `numpyclip index` on folders that are here, or embed all with the "
            "other model by `numpyclip embed images`, and import that into a new index."
        )
    store.start_migration(model.fingerprint, model.config.embed_dim)
    read = partial(_read, model, options, store.views)
    embed = partial(_embed_video, store, model, options, batch_size)
    yield from embed_pending_texts(store, model, batch_size)
    while pending := store.pending_pictures(batch_size):
        videos = [picture for picture in pending if any(seconds_of(part) is not None for part in picture.parts)]
        lost = [(picture, error) for picture in videos if (error := embed(picture)) is not None]
        pictures = [picture for picture in pending if picture not in videos]
        records = list(iter_embeddings(model.embed_pixels, pictures, read, batch_size=batch_size, on_error="skip"))
        lost += [(record.picture, record.error) for record in records if record.error is not None]
        for picture, problem in lost:
            if picture.paths:  # else its files were forgotten before
                report(str(problem))
        done = {
            (record.picture.number, part_of(name)): embedding
            for record in records
            if record.error is None
            for name, embedding in record.views.items()
        }
        if done:
            store.write_embeddings("pictures", list(done), np.stack(list(done.values())))
        store.drop_pictures([picture.number for picture, _ in lost])
        yield len(pending)
    store.finish_migration()


def embed_pending_texts(
    store: Store, model: EmbeddingModel, batch_size: int, *, migrating: bool = True
) -> Iterator[int]:
    """Embed texts without an embedding of the next model, or of this one, such as damaged ones; yield how many."""
    while texts := store.pending_texts(batch_size, migrating=migrating):
        numbers, contents = zip(*texts, strict=True)
        keys = [(number, WHOLE) for number in numbers]
        store.write_embeddings("texts", keys, model.embed_texts(list(contents), truncate=True), migrating=migrating)
        yield len(texts)


def _read(
    model: EmbeddingModel, options: DecodeOptions, views: Sequence[View], pending: PendingPicture
) -> Reading[Any]:
    """Read an image again, in the views that it has and others."""
    views = checked_views({*views, *(view_of(part) for part in pending.parts if is_view(part))})

    def read(path: str) -> Reading[Any] | None:
        with file_content(path) as data:
            if hashlib.sha256(data).digest() != pending.digest:
                return None
            return Reading(read_views(model.preprocess, views, data, options, name=path), name=path)

    return _reread(pending, read)


def _embed_video(
    store: Store, model: EmbeddingModel, options: DecodeOptions, batch_size: int, pending: PendingPicture
) -> BaseException | None:
    """Embed the moments of a video again; return why not, if no file holds it any more."""

    def moments(path: str) -> dict[str, Array] | None:
        return moments_again(model, path, options, batch_size) if digest_of(path) == pending.digest else None

    try:
        found = _reread(pending, moments)
    except PictureError as error:
        return error
    keys = [(pending.number, part) for part in found]
    store.write_embeddings("pictures", keys, np.stack(list(found.values())))
    return None


def _reread(pending: PendingPicture, read: Callable[[str], _Read | None]) -> _Read:
    """Read from the first file that still holds an image or video; of one that does not, `read` returns None."""
    problem = PictureError("all files of an image are gone.")
    for path in pending.paths:
        try:
            if (found := read(path)) is not None:
                return found
            problem = PictureError(f"{path}: has changed; `numpyclip index` reads it anew.")
        except PictureError as error:
            problem = error
    raise problem
