"""INDEX → EMBEDDINGS: what an index has of pictures already, so that nothing is computed twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.find import FileState
from numpyclip.index.store import Store
from numpyclip.index.where import absolute
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
        self._listed: tuple[str, dict[str, FileState]] = ("", {})  # the directory of the last file

    def of_files(self, paths: Sequence[Any]) -> list[Array | None]:
        """Look up files by path, size and modification time."""
        return self._look_up([self._digest_of(path) for path in paths])

    def of_digest(self, digest: bytes) -> Array | None:
        """Look up the SHA-256 of a file's content."""
        return self._look_up([digest])[0]

    def _look_up(self, digests: Sequence[bytes | None]) -> list[Array | None]:
        known = self._store.embeddings_of([digest for digest in digests if digest is not None])
        if known and not self._is_of_model:  # asked when something was found: a fingerprint may take a second
            known = {}
        found = [None if digest is None else known.get(digest) for digest in digests]
        with self._lock:
            self.found += sum(embedding is not None for embedding in found)
        return found

    @cached_property
    def _is_of_model(self) -> bool:
        return self._store.fingerprint == self._model.fingerprint

    def _digest_of(self, path: object) -> bytes | None:
        """Return the SHA-256 of a file that has not changed since it was indexed."""
        if not isinstance(path, str | os.PathLike):
            return None
        try:
            state = FileState.of(path)
        except (OSError, ValueError):  # who opens it will say so
            return None
        directory, name = os.path.split(absolute(os.fsdecode(path)))
        if self._listed[0] != directory:
            self._listed = directory, self._store.files(directory)
        known = self._listed[1].get(name)
        return known.digest if known == state else None
