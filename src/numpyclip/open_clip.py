"""OpenCLIP's entry points, for its scripts: ``import numpyclip.open_clip as open_clip``.

>>> import numpyclip.open_clip as open_clip
>>> model, _, preprocess = open_clip.create_model_and_transforms("tiny")
>>> tokenizer = open_clip.get_tokenizer("tiny")
>>> model.encode_text(tokenizer(["a diagram", "a dog"]), normalize=True).shape
(2, 128)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.loader import load
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.clip_tokenizer import open_clip_tokenizer

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.images.preprocess import Preprocess

__all__ = [
    "SimpleTokenizer",
    "create_model",
    "create_model_and_transforms",
    "create_model_from_pretrained",
    "decode",
    "get_tokenizer",
    "list_models",
    "list_pretrained",
    "tokenize",
]

_LOCAL = "local-dir:"
_PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def __dir__() -> list[str]:
    return __all__


class SimpleTokenizer:
    """A tokenizer, by default OpenCLIP's, which truncates long texts, as open_clip's do."""

    def __init__(self, tokenizer: Tokenizer | None = None, context_length: int = 77) -> None:
        self.tokenizer = tokenizer or open_clip_tokenizer()
        self.context_length = context_length

    def __call__(self, texts: str | Sequence[str], context_length: int | None = None) -> NDArray[np.int32]:
        """Convert texts to ids of shape (n_texts, context_length)."""
        return self.tokenizer(texts, self.context_length if context_length is None else context_length, truncate=True)

    def decode(self, ids: Iterable[int]) -> str:
        """Convert ids back to text."""
        return self.tokenizer.decode(ids)


def create_model_from_pretrained(  # noqa: PLR0913  those of open_clip
    model_name: str,
    pretrained: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    device: object = "cpu",
    jit: bool = False,
    *,
    force_quick_gelu: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
) -> tuple[CLIP, Preprocess]:
    """Load a model: see `numpyclip.load`.

    Parameters
    ----------
    model_name : str
        An architecture, with `pretrained`; or ``"hf-hub:organization/name"``, ``"local-dir:folder"``, or anything
        else that `numpyclip.load` takes.
    pretrained : str or path, optional
        The tag of published weights, or a file.
    precision : {"fp32", "bf16", "fp16"}, default="fp32"
        All but "fp32" need an engine: see `numpyclip.load`.
    device, jit
        As in `numpyclip.load`.
    force_quick_gelu : bool, default=False
        Use QuickGELU for a file that does not record its activation. Architectures whose name ends in -quickgelu have
        it anyway.
    cache_dir : str or path, optional
        Where downloads are cached.

    Returns
    -------
    model : CLIP
    preprocess : Preprocess

    Raises
    ------
    NumPyCLIPError
        As `numpyclip.load`. Also for an architecture without `pretrained`: there are no random weights.
    """
    if precision not in (None, *_PRECISIONS):
        raise InputError(f"precision is {precision!r:.60}; expected {' or '.join(map(repr, _PRECISIONS))}.")
    return load(
        model_name.removeprefix(_LOCAL),
        device,
        jit,
        cache_dir,
        pretrained=pretrained or None,
        activation="quick_gelu" if force_quick_gelu else None,
        precision=_PRECISIONS.get(precision),
    )


def create_model(  # noqa: PLR0913  those of open_clip
    model_name: str,
    pretrained: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    device: object = "cpu",
    jit: bool = False,
    *,
    force_quick_gelu: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
) -> CLIP:
    """Load a model, as `create_model_from_pretrained`, without its preprocessing."""
    model, _ = create_model_from_pretrained(
        model_name, pretrained, precision, device, jit, force_quick_gelu=force_quick_gelu, cache_dir=cache_dir
    )
    return model


def create_model_and_transforms(  # noqa: PLR0913  those of open_clip
    model_name: str,
    pretrained: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    device: object = "cpu",
    jit: bool = False,
    *,
    force_quick_gelu: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
) -> tuple[CLIP, Preprocess, Preprocess]:
    """Load a model, as `create_model_from_pretrained`.

    Returns
    -------
    model : CLIP
    preprocess, preprocess : Preprocess
        The same object twice, for inference; open_clip's first one is for training.
    """
    model, preprocess = create_model_from_pretrained(
        model_name, pretrained, precision, device, jit, force_quick_gelu=force_quick_gelu, cache_dir=cache_dir
    )
    return model, preprocess, preprocess


def get_tokenizer(
    model_name: str, context_length: int | None = None, *, cache_dir: str | os.PathLike[str] | None = None
) -> SimpleTokenizer:
    """Return a model's tokenizer, which truncates long texts.

    Parameters
    ----------
    model_name : str
        As in `create_model_from_pretrained`; an architecture needs no weights.
    context_length : int, optional
        Length of a row, if not the model's.
    cache_dir : str or path, optional
        Where downloads are cached.

    Raises
    ------
    NumPyCLIPError
        If there is no such model, or its tokenizer cannot be read or downloaded.
    """
    from numpyclip.families.locate import read_tokenizer
    from numpyclip.weights.published import architecture

    if known := architecture(model_name):
        tokenizer, length = read_tokenizer(known, cache_dir)
    else:
        model, _ = create_model_from_pretrained(model_name, cache_dir=cache_dir)
        tokenizer, length = model.tokenizer, model.context_length
    return SimpleTokenizer(tokenizer, context_length or length)


def tokenize(texts: str | Sequence[str], context_length: int = 77) -> NDArray[np.int32]:
    """Convert texts to ids with OpenCLIP's default tokenizer, and truncate long ones."""
    return open_clip_tokenizer()(texts, context_length, truncate=True)


def decode(ids: Iterable[int]) -> str:
    """Convert ids of `tokenize` back to text."""
    return open_clip_tokenizer().decode(ids)


def list_models() -> list[str]:
    """Return the names of all architectures in open_clip's table of published weights."""
    from numpyclip.weights.published import architectures

    return architectures()


@overload
def list_pretrained(as_str: Literal[False] = False) -> list[tuple[str, str]]: ...
@overload
def list_pretrained(as_str: Literal[True]) -> list[str]: ...
def list_pretrained(as_str: bool = False) -> list[tuple[str, str]] | list[str]:
    """Return architecture and tag of all published weights that NumPyCLIP supports, or "architecture:tag"."""
    from numpyclip.families.locate import find_architecture, is_supported

    known = map(find_architecture, list_models())
    pairs = [(each.name, tag) for each in known for tag, model in each.models.items() if is_supported(each, model)]
    return [":".join(pair) for pair in pairs] if as_str else pairs
