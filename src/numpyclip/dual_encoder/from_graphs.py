"""A model of graphs that were exported, which an engine computes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NoReturn, Protocol

import numpy as np

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.dual_encoder.torch_methods import LogitScale
from numpyclip.engines.engine import Runtime
from numpyclip.engines.engine_tower import EngineTower
from numpyclip.errors import InputError
from numpyclip.model.config import CLIPConfig
from numpyclip.runtime.lazy import Lazy
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.weights.checkpoint import identity_of


class Graphs(Protocol):
    """What is needed of a folder of graphs."""

    @property
    def folder(self) -> Path:
        """Where they are."""

    @property
    def config(self) -> CLIPConfig:
        """Sizes and options."""

    @property
    def logit_scale(self) -> float:
        """Logarithm of the factor between cosines and logits."""

    @property
    def logit_bias(self) -> float:
        """Added to logits."""

    @property
    def fingerprint(self) -> str:
        """That of the model that was exported, as JSON."""

    @property
    def image_graph(self) -> Path | None:
        """The graph of the image tower."""

    @property
    def text_graph(self) -> Path | None:
        """The graph of the text tower."""

    def tokenizer(self) -> Tokenizer:
        """Read the tokenizer."""


def from_graphs(graphs: Graphs, runtime: Runtime) -> CLIP:
    """Make a model that embeds; its towers, which tokens and attention need, are not there.

    Raises
    ------
    InputError
        If the fingerprint is none.
    """
    fingerprint = Fingerprint.from_json(graphs.fingerprint).computed_in(runtime.precision)
    no_tower = partial(_no_tower, graphs.folder)
    return CLIP(
        config=graphs.config,
        logit_scale=np.array(graphs.logit_scale, np.float32).view(LogitScale),
        logit_bias=np.array(graphs.logit_bias, np.float32),
        _visual=Lazy(no_tower, deferred=True),
        _text=Lazy(no_tower, deferred=True),
        _decoder=Lazy(no_tower, deferred=True),
        _tokenizer=Lazy(graphs.tokenizer, deferred=True),
        _low_memory=False,
        checkpoint=None,
        _fingerprint=Lazy(lambda: fingerprint),
        _image_engine=_tower(runtime, graphs.image_graph, graphs.config),
        _text_engine=_tower(runtime, graphs.text_graph, graphs.config),
    )


def _tower(runtime: Runtime, graph: Path | None, config: CLIPConfig) -> EngineTower | None:
    if graph is None:
        return None
    files = [file for file in (graph, graph.with_name(f"{graph.name}_data")) if file.exists()]
    states = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return EngineTower(runtime, identity_of(str(graph.resolve()), states), config, graph)


def _no_tower(folder: Path) -> NoReturn:
    raise InputError(
        f"{folder}: has ONNX graphs, which only embed images and texts. Load the model that was exported for tokens, "
        "attention and captions."
    )
