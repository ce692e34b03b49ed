"""The best tag of each image: the alternative text of thumbnails on the page, for screen readers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import numpy as np

from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.errors import NumPyCLIPError
from numpyclip.index.records import Match
from numpyclip.tasks.tags import Tagger

_LOG = logging.getLogger("numpyclip.server")


class BestTags:
    """Tags by a model, whose vocabulary is embedded in the background when tags are first asked for.

    Parameters
    ----------
    model : EmbeddingModel
    submit : callable
        Calls a function in another thread.
    """

    def __init__(self, model: EmbeddingModel, submit: Callable[[Callable[[], None]], object]) -> None:
        self._model = model
        self._submit = submit
        self._lock = threading.Lock()
        self._is_loading = False
        self._tagger: Tagger | None = None

    def of(self, matches: Sequence[Match]) -> dict[int, str]:
        """Return the best tag of each image that has one, by its ID; none until the vocabulary is embedded."""
        with self._lock:
            loads, self._is_loading = not self._is_loading, True
        if loads:
            self._submit(self._load)
        if self._tagger is None or not matches:
            return {}
        found = self._tagger(np.stack([match.embedding for match in matches]))
        return {match.id: tags[0].tag for match, tags in zip(matches, found, strict=True) if tags}

    def _load(self) -> None:
        if self._model.config.text is None or self._model.config.vision is None:
            return
        try:
            self._tagger = Tagger(self._model, top_k=1)
        except NumPyCLIPError as error:  # thumbnails are named after their files then
            _LOG.warning("images have no tags: %s", error)
