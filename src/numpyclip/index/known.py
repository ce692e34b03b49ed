"""INDEX → EMBEDDINGS: those that an index has already, so that no image is embedded twice."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from functools import cached_property
from itertools import islice

from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.errors import PictureError
from numpyclip.images.find import FileState
from numpyclip.index.picture_rows import storable
from numpyclip.index.store import Store
from numpyclip.index.where import absolute
from numpyclip.model.ops import Array

_AT_ONCE = 256  # files that are looked up together: images mostly come in the order of their names


class KnownEmbeddings:
    """Embeddings that an index has, for `numpyclip.pipeline`; to the index nothing is added.

    The EXIF orientation was applied to them. Whether large JPEG files were decoded at a reduced size, an index does
    not tell. Nothing is known if the index is of another model or precision, or mixes precisions.
    """

    def __init__(self, store: Store, model: EmbeddingModel) -> None:
        self.found = 0  # embeddings so far
        self._store = store
        self._model = model
        self._lock = threading.RLock()
        self._directory = ""  # of the last file
        self._files: dict[str, FileState] = {}  # in it
        self._names: list[str] = []  # of them, sorted
        self._embeddings: dict[bytes, Array] = {}  # of some of them

    def of_file(self, path: str | os.PathLike[str]) -> Array | None:
        """Look up a file by its path, size and modification time."""
        try:
            state = FileState.of(path)
        except PictureError:  # who opens it will say so
            return None
        directory, name = os.path.split(absolute(path))
        with self._lock:
            if self._directory != directory:
                self._directory, self._files = directory, self._store.files(directory)
                self._names = sorted(self._files)
            known = self._files.get(name)
            if known is None or known.digest is None or known != storable(state):
                return None
            if known.digest not in self._embeddings:
                following = range(bisect_left(self._names, name), len(self._names))
                digests = (self._files[self._names[place]].digest for place in following)
                self._embeddings = self._store.embeddings_of(list(islice(filter(None, digests), _AT_ONCE)))
            return self._counted(self._embeddings.get(known.digest))

    def of_digest(self, digest: bytes) -> Array | None:
        """Look up the SHA-256 of a file's content."""
        return self._counted(self._store.embeddings_of([digest]).get(digest))

    def _counted(self, embedding: Array | None) -> Array | None:
        with self._lock:
            if embedding is None or not self._is_of_model:
                return None
            self.found += 1
            return embedding

    @cached_property
    def _is_of_model(self) -> bool:
        """Asked when something was found: a model's fingerprint may take a second."""
        return self._store.fingerprint == self._model.fingerprint
