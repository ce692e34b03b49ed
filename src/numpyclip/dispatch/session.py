"""REQUESTS → ANSWERS for one program: a model and an index, kept in memory between requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from numpyclip.dispatch.json_values import contents, names, ranked
from numpyclip.dispatch.queries import ResultFields, SearchFields, at_place, is_browsing, query_of, where_of
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.dual_encoder.validation import captions
from numpyclip.errors import InputError, NumPyCLIPError, StoreError
from numpyclip.images.decode_options import DRAFT, DecodeOptions
from numpyclip.index.index import Index
from numpyclip.index.model_options import remembered_options
from numpyclip.index.records import Match, Modality
from numpyclip.index.search_result import SearchResult
from numpyclip.pipeline import PictureReader, iter_embeddings

MAX_INPUTS = 1000  # of a request: its answer is one line


class Session:
    """Answers requests one after another.

    Parameters
    ----------
    open_index : callable
        Opens the index, with its model; StoreError if there is none. It is called when the index is first needed, and
        again after another process has rebuilt it.
    model : CLIP, optional
        By default that of the index.
    options : DecodeOptions, optional
        How images are decoded.
    batch_size : int, default=32
    """

    def __init__(
        self,
        open_index: Callable[[], Index],
        model: CLIP | None = None,
        options: DecodeOptions = DRAFT,
        batch_size: int = 32,
    ) -> None:
        self._open_index = open_index
        self._model = model
        self.options = options
        self._batch_size = batch_size
        self._index: Index | None = None
        self._fitting: Fingerprint | None = None  # of the index when it was opened

    @property
    def model(self) -> CLIP:
        """The model, loaded with the index where it was not given."""
        return cast(CLIP, self.index().model) if self._model is None else self._model

    def index(self) -> Index:
        """Return the index, reopened if it was removed or rebuilt with another model."""
        if not self._is_current():
            self.close()
        if self._index is None:
            self._index = self._open_index()
            self._fitting = self._index.store.fingerprint
        return self._index

    def _is_current(self) -> bool:
        try:
            return self._index is not None and self._index.store.fingerprint == self._fitting
        except StoreError:  # of which opening it again will tell
            return False

    def close(self) -> None:
        """Close the index."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def search(
        self,
        fields: SearchFields,
        near: Sequence[int] = (),
        files: Sequence[str] = (),
        modality: Modality = "pictures",
    ) -> SearchResult:
        """Search by words, images of the index and image files; without any of these, return the newest images."""
        _check_count(len(files), 0)
        where = at_place(fields.place, where_of(fields), self.index().store)
        if modality == "pictures" and is_browsing(fields.query, fields.not_, near, files):
            return SearchResult(self.index().store.browse(where, fields.n).matches)
        query = query_of(fields.query, [*(f"image {row_id}" for row_id in near), *files], fields.not_)
        index, known = self.index(), [self.picture(row_id).embedding for row_id in near]
        embedding = replace(query, options=self.options).embed(index.model, known, truncate=True)
        return index.search(embedding, fields.n, where=where, modality=modality, is_text=query.is_text)

    def similar(self, match: Match, fields: ResultFields) -> SearchResult:
        """Search the images nearest to one of the index, which is left out."""
        where = at_place(fields.place, where_of(fields), self.index().store)
        found = self.index().search(match.embedding, fields.n + 1, where=where)
        return SearchResult([other for other in found if other.id != match.id][: fields.n])

    def picture(self, row_id: int) -> Match:
        """Return an image of the index by its ID; InputError if there is none."""
        match = self.index().store.picture(row_id)
        if match is None:
            raise InputError(f"there is no image {row_id} in the index; expected an ID that a search has returned.")
        return match

    def picture_at(self, path: str) -> Match:
        """Return an image of the index by its path, without access to files; InputError if there is none."""
        match = self.index().store.picture_at(path)
        if match is None:
            raise InputError(f"{path:.300}: is not in the index; expected a path or an ID that a search has returned.")
        return match

    def classify(
        self, files: Sequence[str], labels: Sequence[str], template: str
    ) -> list[list[dict[str, object]] | NumPyCLIPError]:
        """Return the probabilities of labels for image files, by a softmax, or the error of an image."""
        _check_count(len(files), 0)
        texts = self.model.embed_texts(captions(labels, template))
        embeddings = self.embed_images(files)
        rows = [row for row in embeddings if not isinstance(row, NumPyCLIPError)]
        predictions = iter(ranked(self.model.probabilities(np.stack(rows), texts), labels) if rows else ())
        return [row if isinstance(row, NumPyCLIPError) else next(predictions) for row in embeddings]

    def embed_texts(self, texts: Sequence[str]) -> Any:
        """Embed texts, truncated to the model's context length: (n, embed_dim)."""
        _check_count(len(texts))
        return self.model.embed_texts(texts, truncate=True)

    def embed_images(self, files: Sequence[str]) -> list[Any]:
        """Embed image files: an embedding (embed_dim,) of each, or its error."""
        _check_count(len(files))
        read = PictureReader(self.model.preprocess, self.options)
        records = iter_embeddings(self.model.embed_pixels, files, read, batch_size=self._batch_size, on_error="skip")
        return [record.embedding if record.error is None else record.error for record in records]

    def describe(self) -> dict[str, object]:
        """Return the model, counts and folders of the index, and the names that filters accept."""
        store = self.index().store
        model = {**remembered_options(store), "dimensions": self.model.config.embed_dim}
        return {**model, **contents(store), **names(store)}


def _check_count(count: int, least: int = 1) -> None:
    if not least <= count <= MAX_INPUTS:
        raise InputError(f"{count} inputs; expected {least} to {MAX_INPUTS} in a request.")
