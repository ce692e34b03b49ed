"""Models that are loaded when they are used, and unloaded when nobody has used them for a while."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import CheckpointError
from numpyclip.images.decode_memory import return_memory
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.config import CLIPConfig
from numpyclip.model.ops import Array
from numpyclip.runtime.prepared import is_prepared

if TYPE_CHECKING:
    from numpyclip.engines.engine import Engine


@dataclass(frozen=True)
class ModelSource:
    """A model that a server can load.

    Attributes
    ----------
    name : str
        As in responses.
    load : callable
        Loads it; called again after it was unloaded.
    aliases : tuple of str
        Other names by which requests may call it.
    """

    name: str
    load: Callable[[], CLIP]
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names by which requests may call it."""
        return self.name, *self.aliases

    def is_named(self, name: str) -> bool:
        """Tell whether a request means this model.

        As in open_clip and Immich, case does not matter, and a hyphen is an underscore.
        """
        return _plain(name) in map(_plain, self.names)


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def warm_up(model: CLIP) -> None:
    """Use the towers once, so that the first request is fast, and weights that are damaged are found before it."""
    if model.config.text is not None:
        model.embed_texts("warm-up")
    if model.config.vision is not None:
        model.embed_images(np.zeros((8, 8, 3), np.uint8))


def _prepared_towers(model: CLIP) -> list[str]:
    """List the towers whose prepared weights are cached."""
    if model.engine is not None or model.checkpoint is None:
        return []
    return [tower for tower in ("visual", "text") if is_prepared(model.checkpoint.identity, tower)]


class ModelOnDemand(EmbeddingModel):
    """Embeds with a model that is loaded on demand; thread-safe.

    What holds no weights is kept once it is known: an index that is searched by embeddings, or updated without finding
    new files, loads nothing.

    Parameters
    ----------
    source : ModelSource

    Attributes
    ----------
    known_config : CLIPConfig or None
        Its sizes and options, once it was loaded.
    """

    def __init__(self, source: ModelSource) -> None:
        self.source = source
        self.known_config: CLIPConfig | None = None
        self._preprocess: Preprocess | None = None
        self._fingerprint: Fingerprint | None = None
        self._model: CLIP | None = None
        self._lock = threading.Lock()  # of what follows
        self._users = 0
        self._last_use = time.monotonic()
        self._loading = threading.Lock()  # is held for as long as it takes

    @property
    def is_loaded(self) -> bool:
        """Whether it need not be loaded to be used."""
        return self._model is not None

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep it, if it is loaded or will be, for the length of a block."""
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                self._last_use = time.monotonic()

    @contextmanager
    def loaded(self) -> Iterator[CLIP]:
        """Load it, unless it is, and keep it for the length of a block.

        Raises
        ------
        NumPyCLIPError, OSError or MemoryError
            If it cannot be loaded.
        """
        with self.used():
            yield self.load()

    def load(self) -> CLIP:
        """Return the model, loaded if it was not; only users may keep it.

        Raises
        ------
        NumPyCLIPError, OSError or MemoryError
            If it cannot be loaded.
        """
        if (loaded := self._model) is not None:
            return loaded
        with self._loading:
            if self._model is None:  # no other thread was faster
                model = self._load()
                known = _prepared_towers(model)
                warm_up(model)
                if _prepared_towers(model) != known:  # cached just now: map them, as all other processes do
                    del model
                    model = self._load()
                    warm_up(model)
                self.known_config, self._preprocess = model.config, model.preprocess
                self._model = model
            return self._model

    def _load(self) -> CLIP:
        model = self.source.load()
        if self._fingerprint is not None and model.fingerprint != self._fingerprint:  # an index was found to fit it
            raise CheckpointError(
                f"{self.source.name}: its files were replaced, and its embeddings are others now; restart the server."
            )
        return model

    def seconds_left(self, idle: float) -> float:
        """Return the seconds until an unused model is to be unloaded; `idle` if it is in use or not loaded."""
        with self._lock:
            return self._seconds_left(idle)

    def _seconds_left(self, idle: float) -> float:
        if self._model is None or self._users:
            return idle
        return self._last_use + idle - time.monotonic()

    def unload(self, idle: float) -> bool:
        """Unload it if it was not used for `idle` seconds; return whether it was unloaded."""
        with self._lock:
            if self._model is None or self._users or self._seconds_left(idle) > 0:
                return False
            self._model = None
        gc.collect()
        return_memory()
        return True

    @property
    def config(self) -> CLIPConfig:
        """Its sizes and options; it is loaded for them the first time, which takes long."""
        if self.known_config is not None:
            return self.known_config
        with self.loaded() as model:
            return model.config

    @property
    def preprocess(self) -> Preprocess:
        """Its preprocessing; it is loaded for it the first time."""
        if self._preprocess is not None:
            return self._preprocess
        with self.loaded() as model:
            return model.preprocess

    @property
    def fingerprint(self) -> Fingerprint:
        """What its embeddings depend on; it is loaded for it the first time, and never again with another one."""
        if self._fingerprint is None:
            with self.loaded() as model:
                self._fingerprint = model.fingerprint
        return self._fingerprint

    @property
    def engine(self) -> Engine | None:
        """What computes it, if that is not NumPy; it is loaded for it."""
        with self.loaded() as model:
            return model.engine

    def embed_pixels(self, pixels: Sequence[NDArray[np.uint8]]) -> Array:
        """Embed preprocessed images."""
        with self.loaded() as model:
            return model.embed_pixels(pixels)

    def embed_texts(self, texts: str | Iterable[str], batch_size: int = 1024, *, truncate: bool = False) -> Array:
        """Embed texts."""
        with self.loaded() as model:
            return model.embed_texts(texts, batch_size, truncate=truncate)

    def encode_text(self, text: NDArray[np.integer], normalize: bool = False) -> Array:
        """Embed tokenized texts."""
        with self.loaded() as model:
            return model.encode_text(text, normalize)
