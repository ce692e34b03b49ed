"""The interface of models that an index and tasks need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.config import CLIPConfig
from numpyclip.model.ops import Array

if TYPE_CHECKING:
    from numpyclip.engines.engine import Engine


class EmbeddingModel(Protocol):
    """A CLIP, or something that has one loaded when it is needed."""

    @property
    def config(self) -> CLIPConfig:
        """Its sizes and options."""

    @property
    def preprocess(self) -> Preprocess:
        """Its preprocessing."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What its embeddings depend on."""

    @property
    def engine(self) -> Engine | None:
        """What computes it, if that is not NumPy."""

    def embed_pixels(self, pixels: Sequence[NDArray[np.uint8]]) -> Array:
        """Embed preprocessed images."""

    def embed_texts(self, texts: str | Iterable[str], batch_size: int = 1024, *, truncate: bool = False) -> Array:
        """Embed texts."""
