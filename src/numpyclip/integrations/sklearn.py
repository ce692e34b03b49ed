"""scikit-learn transformers: columns of texts and of images → embeddings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.extras import missing
from numpyclip.integrations.embedder import BATCH_SIZE, DEFAULT_MODEL, as_model, embed_texts
from numpyclip.model.ops import Array

try:
    from scipy.sparse import issparse
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils import Tags
except ImportError as error:
    raise missing("TextEmbedder and ImageEmbedder need the package scikit-learn", "sklearn") from error


class _Embedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A transformer that learns nothing: `fit` only loads the model."""

    model: str | os.PathLike[str] | CLIP
    load_options: Mapping[str, Any] | None

    def fit(self, X: Iterable[Any], y: object = None) -> _Embedder:
        """Load the model, and set `n_features_out_`; nothing is learned from X."""
        _column(X)
        self.n_features_out_ = self._n_features_out
        return self

    def _clip(self) -> CLIP:
        return as_model(self.model, self.load_options)

    @property
    def _n_features_out(self) -> int:  # for get_feature_names_out
        return self._clip().config.embed_dim

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class TextEmbedder(_Embedder):
    """Embed texts: a list, an array, a Series, or a DataFrame of one column → (n, embed_dim), float32, unit length.

    Parameters
    ----------
    model : str, path or CLIP, default="ViT-B/32"
        As in `numpyclip.load`, loaded on first use, once for all copies in a process; or a loaded model.
    load_options : mapping, optional
        Keyword arguments of `numpyclip.load`, such as ``{"engine": "openvino"}``.
    truncate : bool, default=False
        Truncate texts that are too long, instead of raising an error.

    Attributes
    ----------
    n_features_out_ : int
        Dimensions of the embeddings.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | CLIP = DEFAULT_MODEL,
        *,
        load_options: Mapping[str, Any] | None = None,
        truncate: bool = False,
    ) -> None:
        self.model = model
        self.load_options = load_options
        self.truncate = truncate

    def transform(self, X: Iterable[str]) -> Array:
        """Embed texts."""
        return embed_texts(self._clip(), _column(X), self.truncate)


class ImageEmbedder(_Embedder):
    """Embed images: paths, bytes, PIL images or arrays, given as texts are to `TextEmbedder`, or an array (n, y, x, 3).

    Parameters
    ----------
    model, load_options
        As in `TextEmbedder`.
    batch_size : int, default=32
        Number of images that are embedded together.
    draft : bool, default=False
        Decode large JPEG files at a reduced size: faster, with almost the same embeddings.

    Attributes
    ----------
    n_features_out_ : int
        Dimensions of the embeddings.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | CLIP = DEFAULT_MODEL,
        *,
        load_options: Mapping[str, Any] | None = None,
        batch_size: int = BATCH_SIZE,
        draft: bool = False,
    ) -> None:
        self.model = model
        self.load_options = load_options
        self.batch_size = batch_size
        self.draft = draft

    def transform(self, X: Iterable[Any]) -> Array:
        """Embed images."""
        return self._clip().embed_images(_column(X), self.batch_size, draft=self.draft)


def _column(X: Any) -> Any:
    """Return the inputs of a column, a DataFrame's only one included; raise InputError if X is none."""
    shape: tuple[int, ...] = getattr(X, "shape", (0,))
    is_one = isinstance(X, str | bytes | os.PathLike | Mapping) or not hasattr(X, "__len__") or issparse(X)
    if is_one or len(shape) not in (1, 2, 4):
        found = f"{type(X).__name__} of shape {shape}" if hasattr(X, "shape") else type(X).__name__
        raise InputError(f"X: found {found}; expected several inputs: a list, an array (n, y, x, 3) or one column.")
    if len(shape) != 2:
        return X
    if shape[1] != 1:
        raise InputError(f"X: found {shape[1]} columns; expected one. Choose it by a ColumnTransformer.")
    return np.asarray(X)[:, 0].tolist()
