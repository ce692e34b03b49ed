"""The public class `Index`: an index with its model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.arguments import OnError, as_paths, positive, whole_number
from numpyclip.dual_encoder.clip import check_model
from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.dual_encoder.validation import checked_embeddings
from numpyclip.errors import InputError, StoreError
from numpyclip.images.decode_options import DRAFT, MAX_PIXELS, DecodeOptions
from numpyclip.images.find import checked_patterns
from numpyclip.images.open import Picture
from numpyclip.images.open import pictures as as_pictures
from numpyclip.images.views import CROP, View, checked_views
from numpyclip.index.known import KnownEmbeddings
from numpyclip.index.migrate import embed_pending_texts
from numpyclip.index.open_store import open_store
from numpyclip.index.recorded_model import check_fit, record_model
from numpyclip.index.records import Match, Modality
from numpyclip.index.scope import EVERYTHING, Scope, roots
from numpyclip.index.search_result import SearchResult
from numpyclip.index.store import Store
from numpyclip.index.stored_calibration import stored_calibration
from numpyclip.index.update import FoundFile, Report, Updater
from numpyclip.index.vectors.shards import VectorDType
from numpyclip.index.where import EVERYWHERE, Where, existing_folder
from numpyclip.pipeline import Embedded, PictureReader, iter_embeddings
from numpyclip.runtime.chunks import batched
from numpyclip.tasks.background import Background
from numpyclip.tasks.query import Query


class Index:
    """Images and texts that can be searched with words and images.

    >>> index = Index("photos.index", model, create=True)  # doctest: +SKIP
    >>> index.update(["photos/"])  # doctest: +SKIP
    >>> [match.path for match in index.search("a dog on a beach", n=5)]  # doctest: +SKIP

    Parameters
    ----------
    store : str, path or Store
        A folder, or an address that begins with ``postgresql://``.
    model : CLIP
        Whose embeddings the index holds, or is to hold.
    create : bool, default=False
        Make the index if it is not there.
    vectors : {"float32", "float16", "int8"}, optional
        See `open_store`.
    mix_precisions : bool, default=False
        Add embeddings that are computed in another precision than those of the index, which then records both;
        nothing of it is `known` then.

    Raises
    ------
    InputError
        If the index holds embeddings of another model, which do not compare: see `Fingerprint.differences`.
    StoreError
        If there is no index, or it cannot be read.
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | Store,
        model: EmbeddingModel,
        *,
        create: bool = False,
        vectors: VectorDType | None = None,
        mix_precisions: bool = False,
    ) -> None:
        check_model(model)
        self.store = store if isinstance(store, Store) else open_store(store, create=create, vectors=vectors)
        self.model = model
        self._mix_precisions = mix_precisions
        try:
            check_fit(self.store, model)
        except InputError:
            if self.store is not store:
                self.store.close()
            raise

    def __repr__(self) -> str:
        """Show its place and size, on one line."""
        try:
            counts = self.store.counts()
        except StoreError:
            return f"<Index {self.store.place}: cannot be read>"
        return f"<Index {self.store.place}: {counts.pictures:,} images, {counts.texts:,} texts>"

    def __enter__(self) -> Index:
        """Use it for the length of a block."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close connections to a server, if it has any."""
        self.store.close()

    @cached_property
    def _background(self) -> Background:
        return Background(self.model)

    @property
    def background(self) -> Background:
        """The background by which cosines of texts and images become probabilities, with the index's calibration."""
        return self._background.calibrated(stored_calibration(self.store, self.model))

    @property
    def known(self) -> KnownEmbeddings:
        """The embeddings of its images, for `tasks.find_duplicates` and `tasks.evaluate` to look up."""
        return KnownEmbeddings(self.store, self.model)

    def update(  # noqa: PLR0913  options of one kind each
        self,
        folders: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
        *,
        ignore: str | Sequence[str] = (),
        batch_size: int = 32,
        draft: bool = True,
        max_pixels: int = MAX_PIXELS,
        strict_files: bool = False,
        develop_raw: bool = False,
        views: View | Iterable[View] | None = None,
        animations: bool | None = None,
        scope: Scope = EVERYTHING,
        progress: Callable[[list[FoundFile]], Iterable[FoundFile]] = iter,
        report: Callable[[str], object] = lambda problem: None,
    ) -> Report:
        """Update the index; files of unchanged size and modification time are skipped.

        Each batch is committed, so that a crash loses at most one.

        Parameters
        ----------
        folders : path or iterable of paths
            Folders to add; by default those of the index are updated.
        ignore : str or sequence of str
            Patterns as in a shell of what to leave out in the folders that are added: of names, or with a slash of
            paths below the folder. They replace those that were given before; an empty one
            matches nothing.
        batch_size : int, default=32
            After each batch what was done is kept.
        draft : bool, default=True
            Decode large JPEG files at a reduced size (see `open_picture`).
        max_pixels, strict_files, develop_raw
            As in `CLIP.embed_images`.
        views : {"crop", "pad", "squash", "tiles"} or iterable of them, optional
            What is embedded of an image besides the crop, as in `CLIP.embed_images`; by default as before. The index
            records them: later updates go on with them. Where others are given, embeddings that are missing are added,
            and those of other views removed.
        animations : bool, optional
            Whether animated images that are added are embedded by their moments, as videos, and not by their first
            frame; by default as before, which the index records.
        scope : Scope, optional
            Which files are looked at, and for how long; by default all of these folders.
        progress : callable, optional
            Given the files to be read, a list, returns what iterates over them, such as ``tqdm.tqdm``.
        report : callable, optional
            Called with each problem, a string.

        Returns
        -------
        Report

        Raises
        ------
        InputError
            If `folders` has something else than folders, or the index has none.
        StoreError
            If another process writes to the index, or the disk is full.
        """
        added = [existing_folder(folder) for folder in as_paths(folders, "folders")]
        patterns = checked_patterns(ignore)
        for folder in added:
            own, found = Path(self.store.place).resolve(), Path(folder).resolve()
            if own in (found, *found.parents):
                raise InputError(f"{folder}: is the folder of the index itself.")
        with self.adding():
            self.begin()
            known = self.store.folders()
            for folder in added:
                if patterns or folder not in known:
                    self.store.set_folder(folder, patterns)
            known = self.store.folders()
            chosen = roots(added or list(known), known)
            if not chosen:
                raise InputError(f"{self.store.place}: knows no folders yet; name one: numpyclip index FOLDER.")
            sum(embed_pending_texts(self.store, self.model, batch_size, migrating=False))
            if views is not None:
                self.store.set_views(checked_views({*CROP, *checked_views(views)}))
            if animations is not None:
                self.store.set_animations(animations)
            options = DecodeOptions(
                draft=draft, max_pixels=max_pixels, strict_files=strict_files, develop_raw=develop_raw
            )
            return Updater(self.store, self.model, batch_size, options, scope, progress, report).update(chosen)

    def iter_embeddings(
        self, pictures: Picture | Iterable[Picture], batch_size: int = 32, *, on_error: OnError = "raise"
    ) -> Iterator[Embedded[Picture, Any]]:
        """Embed images as `CLIP.iter_embeddings` does, except those that the index has; nothing is added to it.

        Images are decoded as `update` does by default, with ``orient=True, draft=True``: the EXIF orientation is
        applied, and large JPEG files are decoded at a reduced size.
        """
        read = PictureReader(self.model.preprocess, DRAFT, self.known)
        return iter_embeddings(
            self.model.embed_pixels, as_pictures(pictures), read, batch_size=batch_size, on_error=on_error
        )

    def add_texts(self, texts: str | Iterable[str], *, batch_size: int = 256) -> int:
        """Add texts, such as captions or a list of words, to be found by images and by other texts.

        Parameters
        ----------
        texts : str or iterable of str
            Truncated to the model's context length. Those that the index has are skipped.
        batch_size : int, default=256

        Returns
        -------
        int
            How many are new.
        """
        added = 0
        with self.adding():
            self.begin()
            sum(embed_pending_texts(self.store, self.model, batch_size, migrating=False))
            for batch in batched([texts] if isinstance(texts, str) else texts, batch_size):
                if new := self.store.unknown_texts(batch):
                    self.store.write_texts(new, self.model.embed_texts(new, truncate=True))
                    added += len(new)
        return added

    def search(
        self,
        query: str | Query | ArrayLike,
        n: int = 20,
        *,
        where: Where = EVERYWHERE,
        modality: Modality = "pictures",
        is_text: bool = False,
        skip: int = 0,
    ) -> SearchResult:
        """Find what is nearest to a query, exactly, unless an HNSW index was built.

        Parameters
        ----------
        query : str, Query or array_like of shape (embed_dim,)
            Words; a sum of words and images such as ``"horse + stripes"`` (see `Query.parse`); or an embedding.
        n : int, default=20
        where : Where, optional
            Which images are searched. Texts have neither folder nor date.
        modality : {"pictures", "texts"}
        is_text : bool, default=False
            Whether an embedding is that of a single text; of words it is known.
        skip : int, default=0
            How many of the nearest are left out: those of earlier calls.

        Returns
        -------
        SearchResult
            The nearest first, whether they match or not. If the query is a single text and images are searched, each
            has its probability, and the result a cutoff.

        Raises
        ------
        InputError
            If the query cannot be read, or another argument is invalid.
        """
        count = positive(n, "n")
        if (skipped := whole_number(skip)) is None or skipped < 0:
            raise InputError(f"skip is {skip!r:.60}; expected an integer, 0 or above.")
        if not isinstance(where, Where):
            raise InputError(f"where is {where!r:.60}; expected Where(folder=..., after=..., before=...).")
        if isinstance(query, str):
            query = Query.parse(query)
        if isinstance(query, Query):
            is_text, queries = query.is_text, query.embed_views(self.model)
        else:
            queries = np.asarray(query)[np.newaxis]
        queries = checked_embeddings(queries, self.model.config.embed_dim, "queries")
        if len(queries) == 1:
            (nearest,) = self.store.search(modality, queries, count, where, skip=skipped)
        else:  # of each view of an image
            found = self.store.search(modality, queries, count + skipped, where)
            nearest = _nearest(found, count + skipped)[skipped:]
        if not is_text or modality == "texts":
            return SearchResult(nearest)
        background, pictures = self.background, self.store.count_searched(where)
        if nearest:
            embeddings = np.stack([match.embedding for match in nearest])
            probabilities = background.probabilities(embeddings, queries)[:, 0].tolist()
            nearest = [replace(m, probability=p) for m, p in zip(nearest, probabilities, strict=True)]
        return SearchResult(nearest, background.cutoff(self.store.count_compared(where, pictures)), pictures)

    def adding(self) -> AbstractContextManager[None]:
        """Hold the lock to add embeddings; in PostgreSQL many processes may, unless precisions are mixed."""
        return self.store.writing(shared=not self._mix_precisions)

    def begin(self, precision: str | None = None) -> None:
        """Record this model as that of an index which has none yet, and what older versions did not record of it.

        `precision` is that of the embeddings to be added, if it is not the model's.

        Raises
        ------
        InputError
            If the index holds embeddings of another model; or of another precision, and they are not to be mixed.
        """
        record_model(self.store, self.model, precision, mix=self._mix_precisions)


def _nearest(found: Sequence[list[Match]], n: int) -> list[Match]:
    """Return the nearest of what several queries have found, each once."""
    best: dict[int, Match] = {}
    for match in sorted(chain.from_iterable(found), key=lambda match: -match.cosine):
        best.setdefault(match.id, match)
    return list(best.values())[:n]
