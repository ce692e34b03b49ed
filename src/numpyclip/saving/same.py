"""A model in the layout of the folder that it came from: its own names and description, and other number formats.

So every model can be kept in eight bits, also those that no other layout can express.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.families import open_clip
from numpyclip.families.description import read_description
from numpyclip.families.folder import INT8_WEIGHTS, TOKENIZER_FILES
from numpyclip.model.clip import CLIP
from numpyclip.saving.plan import DType, Plan, Weight, as_json
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.int8 import ScaledInt8
from numpyclip.weights.read import ACTIVATION_KEY
from numpyclip.weights.safetensors import Unwritten, unwritten

OPEN_CLIP, TRANSFORMERS = open_clip.DESCRIPTION, "config.json"  # what describes these libraries' models
_BESIDE = {  # the description of a layout → what else may lie beside it; OpenCLIP's counts where there are both
    OPEN_CLIP: TOKENIZER_FILES,
    TRANSFORMERS: ("preprocessor_config.json", "processor_config.json", *TOKENIZER_FILES),
}


def description_of(model: CLIP, checkpoint: Checkpoint) -> str | None:
    """Name the file beside the weights that describes the very model; None if its tensors alone did, or a tag."""
    folder = checkpoint.path.parent
    name = {"open_clip": OPEN_CLIP, "transformers": TRANSFORMERS}.get(model.config.family)
    if name is None or not (folder / name).is_file():
        return None
    if name == OPEN_CLIP and open_clip.describe(read_description(folder / name))[0] != model.config:
        return None  # it was loaded by a tag, which says otherwise
    return name


def plan(checkpoint: Checkpoint, description: str, weights: str, dtype: DType) -> Plan:
    """Say what a folder of the model's own layout holds, in floating point."""
    original = _original(checkpoint)
    tensors: list[Unwritten] = []
    for name, array in original.arrays.items():
        tensors += [Weight.of(name, original, name).in_floats(dtype)] if _is_weight(array) else unwritten(name, array)
    metadata = {"format": "pt"} if description == TRANSFORMERS else {}
    return Plan(weights, tensors, metadata, _files(checkpoint.path.parent, description, dtype))


def plan_int8(model: CLIP, checkpoint: Checkpoint, dtype: DType) -> Plan:
    """Say what a folder with weights of eight bits holds; `dtype` is that of all others.

    A model that came without a description has none here, either: its file notes the activation, the only thing that
    its shapes do not tell.
    """
    description = description_of(model, checkpoint)
    if description is None and model.config.family not in ("openai", "apple"):
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: cannot be saved as int8, it has no description beside it. Save it in OpenCLIP's "
            "layout first, and that folder as int8."
        )
    original = checkpoint if model.config.family == "openai" else _original(checkpoint)
    tensors: list[Unwritten] = []
    for name, array in original.arrays.items():
        tensors += Weight.of(name, original, name).in_int8(dtype) if _is_weight(array) else unwritten(name, array)
    if description is None:
        activation = model.config.activation
        assert activation is not None  # a model without a description has both towers
        return Plan(INT8_WEIGHTS, tensors, {ACTIVATION_KEY: activation})
    return Plan(INT8_WEIGHTS, tensors, files=_files(checkpoint.path.parent, description, dtype))


def existing(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Find those files that are there."""
    return {name: folder / name for name in names if (folder / name).is_file()}


def _original(checkpoint: Checkpoint) -> Checkpoint:
    """Return all that the file holds, by its own names."""
    assert checkpoint.stored, "a family's module has dropped them"
    return replace(checkpoint, arrays=checkpoint.stored)


def _is_weight(array: NDArray[np.generic]) -> bool:
    return array.dtype.kind == "f" or isinstance(array, ScaledInt8)


def _files(source: Path, description: str, dtype: DType) -> dict[str, bytes | Path]:
    files: dict[str, bytes | Path] = {**existing(source, (description, *_BESIDE[description]))}
    if description == TRANSFORMERS:  # which says what the numbers are made when they are read
        options = json.loads((source / description).read_text("utf-8"))
        options.pop("torch_dtype", None)
        files[description] = as_json({**options, "dtype": dtype})
    return files
