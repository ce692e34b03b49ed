"""INDEX → EMBEDDINGS: what an index has of pictures already, so that nothing is computed twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from numpyclip.images.find import FileState
from numpyclip.index.store import Store
from numpyclip.model.clip import CLIP
from numpyclip.model.ops import Array


class KnownEmbeddings:
    """Embeddings that an index has, for `numpyclip.pipeline`; to the index nothing is added.

    Embeddings of files with their EXIF orientation applied: those of an index are. Whether large JPEG files were
    decoded at a reduced size, an index does not tell.

    Parameters
    ----------
    store : Store
    model : CLIP
        If the index holds embeddings of another model, nothing is known.

    Attributes
    ----------
    found : int
        How many embeddings were found so far.
    """

    def __init__(self, store: Store, model: CLIP) -> None:
        self.found = 0
        self._store = store
        self._model = model
        self._lock = threading.Lock()

    def of_files(self, paths: Sequence[Any]) -> list[Array | None]:
        """Look up files by path, size and time of the last change."""
        keys = [_key(path) for path in paths]
        found = iter(self._look_up([key for key in keys if key is not None]))
        return [None if key is None else next(found) for key in keys]

    def of_digest(self, digest: bytes) -> Array | None:
        """Look up the SHA-256 of a file's content."""
        return self._look_up([digest])[0]

    def _look_up(self, keys: Sequence[bytes | tuple[str, FileState]]) -> list[Array | None]:
        found = self._store.embeddings_of(keys) if keys else []
        count = sum(embedding is not None for embedding in found)
        if count and not self._is_of_model:  # taken when something was found: a model's fingerprint may take a second
            return [None] * len(keys)
        with self._lock:
            self.found += count
        return found

    @cached_property
    def _is_of_model(self) -> bool:
        return self._store.fingerprint == self._model.fingerprint


def _key(path: object) -> tuple[str, FileState] | None:
    if not isinstance(path, str | os.PathLike):
        return None
    try:
        return os.path.abspath(os.fsdecode(path)), FileState.of(path)  # noqa: PTH100  a link stays as it was named
    except (OSError, ValueError):  # who opens it will say so
        return None
