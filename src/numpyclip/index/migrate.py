"""INDEX → INDEX: the same pictures and texts, re-embedded with another model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError, PictureError, StoreError
from numpyclip.index.records import FileState
from numpyclip.index.store import Store
from numpyclip.index.update import content
from numpyclip.runtime.clip import CLIP
from numpyclip.runtime.prefetch import prefetch


def migrate(
    store: Store,
    model: CLIP,
    *,
    batch_size: int = 32,
    draft: bool = True,
    report: Callable[[str], object] = lambda problem: None,
) -> Generator[int, None, None]:
    """Re-embed everything with another model; until all is done the embeddings of the previous one are searched.

    What was done by a call that was cut short is not done again.

    Parameters
    ----------
    store : Store
        While it is being written to.
    model : CLIP
    batch_size : int, default=32
    draft : bool, default=True
    report : callable, optional
        Called for each picture of which no file can be read any more. It is removed.

    Yields
    ------
    int
        How many more are done.

    Raises
    ------
    InputError
        If the store has embeddings of this model already.
    StoreError
        If it has none.
    """
    if store.fingerprint is None:
        raise StoreError(f"{store.place}: holds no embeddings yet; there is nothing to migrate.")
    if store.fingerprint == model.fingerprint:
        raise InputError(f"{store.place}: holds embeddings of this model; there is nothing to migrate.")
    store.start_migration(model.fingerprint, model.config.embed_dim)
    while texts := store.pending_texts(batch_size):
        numbers, contents = zip(*texts, strict=True)
        store.write_migrated("texts", numbers, model.embed_texts(list(contents), truncate=True))
        yield len(texts)
    while pending := store.pending_pictures(batch_size):
        crops: dict[int, NDArray[np.uint8]] = {}
        lost: list[int] = []
        for (number, _, paths), crop in zip(pending, prefetch(_Reader(model, draft), pending, batch_size), strict=True):
            if not isinstance(crop, PictureError):
                crops[number] = crop
                continue
            lost.append(number)
            if paths:  # else its files were removed before
                report(str(crop))
        if crops:
            store.write_migrated("pictures", list(crops), model.embed_pixels(list(crops.values())))
        store.drop_pictures(lost)
        yield len(pending)
    store.finish_migration()


class _Reader:
    """Reads a picture again, from the first of its files that still holds it."""

    def __init__(self, model: CLIP, draft: bool) -> None:
        self._model = model
        self._draft = draft

    def __call__(self, pending: tuple[int, bytes, list[str]]) -> NDArray[np.uint8] | PictureError:
        _, digest, paths = pending
        problem = PictureError("all files of a picture are gone.")
        for path in paths:
            try:
                data = content(path, FileState(0, 0))
                if hashlib.sha256(data).digest() == digest:
                    return self._model.preprocess.read(data, orient=True, draft=self._draft)
                problem = PictureError(f"{path}: has changed; `numpyclip index` reads it anew.")
            except PictureError as error:
                problem = error
        return problem
