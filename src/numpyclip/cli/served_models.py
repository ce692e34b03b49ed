"""The models of `numpyclip serve`: the first, whose embeddings the index has, and others that requests name."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from numpyclip.cli.options import load_model, model_name
from numpyclip.cli.stores import load_for_requests
from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.server import ModelSource

_OF_THE_FIRST = ("pretrained", "text_model", "activation", "truncate_dim")


def model_sources(arguments: argparse.Namespace, place: str | None) -> list[ModelSource]:
    """Load the first model, which is that of the index unless another is named; the others are loaded when requested.

    `arguments.model`, the list that was given, becomes the name of the first.

    Raises
    ------
    InputError
        If a model is named as one before it, which requests for it would get.
    """
    from numpyclip.server import ModelSource

    arguments.model, *others = arguments.model or [None]
    first = _load(arguments, place)
    name = model_name(arguments)
    aliases = dict.fromkeys([*_aliases(name, arguments.text_model), *arguments.model_name])
    sources = [ModelSource(name, _again(first, arguments), tuple(aliases))]
    for other in others:
        if same := next((source.name for source in sources if source.is_named(other)), None):
            raise InputError(
                f"--model {other}: requests could not tell it from {same} (case does not matter, and a hyphen is an "
                "underscore); expected another name."
            )
        options = argparse.Namespace(**{**vars(arguments), **dict.fromkeys(_OF_THE_FIRST), "model": other})
        sources.append(ModelSource(other, partial(load_model, options), tuple(_aliases(other, None))))
    return sources


def _again(model: CLIP, arguments: argparse.Namespace) -> Callable[[], CLIP]:
    """Return a function that returns a loaded model the first time, and then loads it again."""
    loaded = [model]
    return lambda: loaded.pop() if loaded else load_model(arguments)


def _load(arguments: argparse.Namespace, place: str | None) -> CLIP:
    """Load the model that was asked for, else the index's, if there is one."""
    if place is not None:
        return load_for_requests(arguments)
    arguments.model = arguments.model or arguments.usual_model
    return load_model(arguments)


def _aliases(name: str, text_model: str | None) -> list[str]:
    """Name the model as Immich does: architecture and tag with two underscores between them, or a text tower's name.

    A file or a folder is named without the folders that it is in.
    """
    from numpyclip.weights.catalogue import DOWNLOADABLE
    from numpyclip.weights.hub import repository_of
    from numpyclip.weights.published import published_as

    if text_model is not None:
        return _aliases(name, None) + _aliases(text_model, None)
    if name in DOWNLOADABLE and (published := published_as(name)):
        return ["__".join(published)]
    if repository_of(name) or os.path.exists(name):  # noqa: PTH110
        return [Path(name).name]
    architecture, _, tag = name.partition(":")
    return [f"{architecture}__{tag}"] if tag else []
