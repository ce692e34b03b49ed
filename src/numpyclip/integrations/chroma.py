"""Chroma: an embedding function of texts and images, and a data loader of images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.extras import missing
from numpyclip.images.open import decoded
from numpyclip.images.rgb import without_alpha
from numpyclip.integrations.embedder import BATCH_SIZE, DEFAULT_MODEL, as_model, embed, with_names
from numpyclip.runtime.prefetch import prefetch

try:
    from chromadb.api.types import DataLoader, EmbeddingFunction
    from chromadb.utils.embedding_functions import register_embedding_function
except ImportError as error:
    raise missing("CLIPEmbeddingFunction needs the package chromadb", "chroma") from error

_OPTIONS_OF_EMBEDDINGS = ("pretrained", "text_model", "activation", "truncate_dim")  # others: speed, memory, rounding


@register_embedding_function
class CLIPEmbeddingFunction(EmbeddingFunction[Any]):
    """Embed documents and images (arrays), in batches, at unit length; the distance is the cosine by default.

    A collection records the model's name and the options, so that a process which imports this module opens it with the
    same model; ``collection.modify`` changes those that change no embedding, such as the engine. Of a loaded model it
    can record nothing: pass it to ``get_collection`` again.

    Parameters
    ----------
    model : str, path or CLIP, default="ViT-B/32"
        As in `numpyclip.load`, loaded on first use; or a loaded model.
    load_options : mapping, optional
        Keyword arguments of `numpyclip.load`, such as ``{"engine": "openvino"}``; a collection records them as JSON.
    batch_size : int, default=32
        Number of images that are embedded together.
    truncate : bool, default=False
        Truncate texts that are too long, instead of raising an error.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | CLIP = DEFAULT_MODEL,
        *,
        load_options: Mapping[str, Any] | None = None,
        batch_size: int = BATCH_SIZE,
        truncate: bool = False,
    ) -> None:
        self._model = os.fspath(model) if isinstance(model, os.PathLike) else model
        self._load_options = with_names(load_options)
        self._batch_size = batch_size
        self._truncate = truncate

    def __call__(self, input: Sequence[str | NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Embed documents and images."""
        return [*embed(as_model(self._model, self._load_options), input, self._batch_size, self._truncate)]

    @staticmethod
    def name() -> str:
        """Return the name by which collections record this function."""
        return "numpyclip"

    def default_space(self) -> str:
        """Return the distance of collections that name none."""
        return "cosine"

    def is_legacy(self) -> bool:
        """Tell whether a collection cannot record it: a loaded model has no name."""
        return not isinstance(self._model, str)

    def get_config(self) -> dict[str, Any]:
        """Return what a collection records."""
        return {
            "model": self._model,
            "load_options": self._load_options,
            "batch_size": self._batch_size,
            "truncate": self._truncate,
        }

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> CLIPEmbeddingFunction:
        """Make the function that a collection recorded."""
        return CLIPEmbeddingFunction(**config)

    def validate_config_update(self, old_config: dict[str, Any], new_config: dict[str, Any]) -> None:
        """Raise InputError if embeddings would be of another model."""
        old, new = ({**config, **config.get("load_options", {})} for config in (old_config, new_config))
        for name in ("model", *_OPTIONS_OF_EMBEDDINGS):
            if old.get(name) != new.get(name):
                raise InputError(
                    f"{name}: found {new.get(name)!r:.60}, but the collection has embeddings of {old.get(name)!r:.60}. "
                    "Make a new collection."
                )


class ImageLoader(DataLoader[Any]):
    """Load images by URI (paths) in all formats of `numpyclip.CLIP.embed_images`, with the EXIF orientation applied.

    Parameters
    ----------
    draft_size : int, optional
        Decode large JPEG files at a half, a quarter or an eighth of their size, but not below this: much less memory.
        With twice the image size of the model (448 for ViT-B/32), embeddings are almost the same.
    """

    def __init__(self, draft_size: int | None = None) -> None:
        self._draft_size = draft_size

    def __call__(self, uris: Sequence[str | None]) -> list[NDArray[np.uint8] | None]:
        """Load images, on all cores."""
        return [*prefetch(self._load, uris, len(uris))]

    def _load(self, uri: str | None) -> NDArray[np.uint8] | None:
        if uri is None:
            return None
        with decoded(uri, draft_size=self._draft_size) as image:
            return np.asarray(without_alpha(image))
