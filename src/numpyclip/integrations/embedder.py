"""The model of an adapter: a name, loaded on first use, or a loaded model."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from numpyclip.dual_encoder.clip import CLIP, check_model
from numpyclip.errors import InputError, TextTooLongError
from numpyclip.images.open import Picture
from numpyclip.loader import load
from numpyclip.model.ops import Array
from numpyclip.runtime.lazy import Guarded, Lazy

DEFAULT_MODEL = "ViT-B/32"
BATCH_SIZE = 32  # images that are embedded together


class _Models(Guarded):
    """LRU cache of named models; clones and unpickled copies of an adapter share one."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._model = lru_cache(most)(_model)

    def __call__(self, name: str, options: tuple[tuple[str, Hashable], ...]) -> CLIP:
        changed = _changed(Path(name))
        with self._lock:  # so that threads which come together get one
            model = self._model(name, options, changed)
        return model()  # others are used meanwhile


def _model(name: str, options: tuple[tuple[str, Any], ...], changed: int) -> Lazy[CLIP]:
    return Lazy(lambda: load(name, **dict(options))[0])


def _changed(path: Path) -> int:
    """Return when a file, or a folder or what is in it, was last modified, in nanoseconds; 0 if there is none."""
    files = [path, *path.iterdir()] if path.is_dir() else [path]
    return max((file.stat().st_mtime_ns for file in files if file.exists()), default=0)


_models = _Models(4)


def as_model(model: str | os.PathLike[str] | CLIP, load_options: Mapping[str, Any] | None = None) -> CLIP:
    """Return the model that an adapter was given.

    Parameters
    ----------
    model : str, path or CLIP
        As in `numpyclip.load`, or the first of the two values it returns.
    load_options : mapping, optional
        Keyword arguments of `numpyclip.load`, such as ``{"engine": "openvino"}``.

    Raises
    ------
    InputError
        If it is not a model, options are given for a loaded model, or `load` has no such option.
    """
    if isinstance(model, str | os.PathLike):
        return _models(os.fspath(model), _checked(load_options or {}))
    check_model(model)
    if load_options:
        raise InputError(f"load_options is {load_options!r:.60}, but the model is loaded. Pass them to numpyclip.load.")
    return model


def _checked(load_options: Mapping[str, Any]) -> tuple[tuple[str, Hashable], ...]:
    """Return options in an order; raise InputError if they are none of `load`, or cannot be told from others."""
    try:
        signature(load).bind("", **load_options)
        options = tuple(sorted(load_options.items()))
        hash(options)
    except TypeError as error:
        raise InputError(
            f"load_options is {load_options!r:.60} ({error}); expected keyword arguments of numpyclip.load."
        ) from error
    return options


def with_names(load_options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return options as JSON can record them: paths as strings."""
    options = load_options or {}
    return {name: os.fspath(one) if isinstance(one, os.PathLike) else one for name, one in options.items()}


def embed_texts(model: CLIP, texts: Iterable[str], truncate: bool) -> Array:
    """Embed texts; of one that is too long the error says what the user of an adapter can do."""
    try:
        return model.embed_texts(texts, truncate=truncate)
    except TextTooLongError as error:
        error.args = (f"{error.found}; shorten it, or create the embedder with truncate=True.",)
        raise


def embed(model: CLIP, inputs: Iterable[str | Picture], batch_size: int = BATCH_SIZE, truncate: bool = False) -> Array:
    """Embed texts (strings) and images (all else), in their order, those of each kind in batches.

    Returns
    -------
    ndarray of shape (n_inputs, embed_dim), dtype=float32
    """
    inputs = [*inputs]
    is_text = np.array([isinstance(one, str) for one in inputs], bool)
    embeddings = np.empty((len(inputs), model.config.embed_dim), np.float32)
    if is_text.any():
        embeddings[is_text] = embed_texts(model, _where(inputs, is_text), truncate)
    if not is_text.all():
        embeddings[~is_text] = model.embed_images(_where(inputs, ~is_text), batch_size)
    return embeddings


def _where(inputs: Sequence[Any], chosen: Iterable[bool]) -> list[Any]:
    return [one for one, is_chosen in zip(inputs, chosen, strict=True) if is_chosen]
