"""A model read from exported ONNX graphs, which an engine computes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.dual_encoder.torch_methods import LogitScale
from numpyclip.engines.engine import Engine
from numpyclip.engines.engine_tower import EngineTower
from numpyclip.errors import CheckpointError, InputError
from numpyclip.families.exported import ExportedModel
from numpyclip.families.repository_files import EXPORTED
from numpyclip.model.config import CLIPConfig
from numpyclip.runtime.lazy import Lazy
from numpyclip.weights.checkpoint import identity_of, identity_of_file


def from_graphs(exported: ExportedModel, engine: Engine) -> CLIP:
    """Make a model that only embeds: tokens and attention need the weights.

    Raises
    ------
    CheckpointError
        If the fingerprint is damaged.
    """
    try:
        fingerprint = Fingerprint.from_json(exported.fingerprint).computed_in(engine.precision)
    except InputError as error:
        raise CheckpointError(f"{exported.folder / EXPORTED}: fingerprint: {error} Export again.") from error
    no_tower = partial(_no_tower, exported.folder)
    return CLIP(
        config=exported.config,
        logit_scale=np.array(exported.logit_scale, np.float32).view(LogitScale),
        logit_bias=np.array(exported.logit_bias, np.float32),
        _visual=Lazy(no_tower, deferred=True),
        _text=Lazy(no_tower, deferred=True),
        _decoder=Lazy(no_tower, deferred=True),
        _tokenizer=Lazy(exported.tokenizer, deferred=True),
        _low_memory=False,
        checkpoint=None,
        _fingerprint=Lazy(lambda: fingerprint),
        _image_engine_tower=_tower(engine, exported.image_graph, exported.config),
        _text_engine_tower=_tower(engine, exported.text_graph, exported.config),
    )


def _tower(engine: Engine, graph: Path | None, config: CLIPConfig) -> EngineTower | None:
    if graph is None:
        return None
    files = [file for file in (graph, graph.with_name(f"{graph.name}_data")) if file.exists()]
    return EngineTower(engine, identity_of(*(identity_of_file(file.stat()) for file in files)), config, graph)


def _no_tower(folder: Path) -> NoReturn:
    raise InputError(
        f"{folder}: has ONNX graphs, which only embed images and texts. For all else, such as tokens, captions or "
        "another export, load the model that was exported."
    )
