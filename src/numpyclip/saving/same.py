"""A model in the layout that it came in: its own names and description, and other number formats.

So every model can be kept in eight bits, also those that no other layout can express.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numpyclip.families import open_clip, transformers
from numpyclip.families.folder import INT8_WEIGHTS, TOKENIZERS
from numpyclip.model.clip import CLIP
from numpyclip.saving.plan import DType, Plan, Weight, as_json
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.int8 import ScaledInt8
from numpyclip.weights.read import ACTIVATION_KEY
from numpyclip.weights.safetensors import Unwritten, unwritten

_BESIDE = {  # the description of a layout → what else may lie beside it
    open_clip.DESCRIPTION: TOKENIZERS,
    transformers.DESCRIPTION: ("preprocessor_config.json", "processor_config.json", *TOKENIZERS),
}


def plan(checkpoint: Checkpoint, weights: str, dtype: DType) -> Plan:
    """Say what a folder of the model's own layout holds, in floating point."""
    original = _original(checkpoint)
    tensors: list[Unwritten] = []
    for name, array in original.arrays.items():
        tensors += [Weight.of(name, original, name).in_floats(dtype)] if _is_weight(array) else unwritten(name, array)
    return Plan(weights, tensors, {"format": "pt"}, _files(checkpoint, dtype))


def plan_int8(model: CLIP, checkpoint: Checkpoint, dtype: DType) -> Plan:
    """Say what a folder with weights of eight bits holds; `dtype` is that of all others.

    A model that came without a description has none here, either: its file notes the activation, the only thing that
    its shapes do not tell.
    """
    original = checkpoint if checkpoint.description is None else _original(checkpoint)
    tensors: list[Unwritten] = []
    for name, array in original.arrays.items():
        tensors += Weight.of(name, original, name).in_int8(dtype) if _is_weight(array) else unwritten(name, array)
    if checkpoint.description is None:
        return Plan(INT8_WEIGHTS, tensors, {ACTIVATION_KEY: str(model.config.activation)})
    return Plan(INT8_WEIGHTS, tensors, files=_files(checkpoint, dtype))


def existing(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Find those files that are there."""
    return {name: folder / name for name in names if (folder / name).is_file()}


def _original(checkpoint: Checkpoint) -> Checkpoint:
    """Return all that the file holds, by its own names."""
    assert checkpoint.stored, "a family's module has dropped them"
    return replace(checkpoint, arrays=checkpoint.stored)


def _is_weight(array: NDArray[np.generic]) -> bool:
    return array.dtype.kind == "f" or isinstance(array, ScaledInt8)


def _files(checkpoint: Checkpoint, dtype: DType) -> dict[str, bytes | Path]:
    assert checkpoint.description is not None
    name, options = checkpoint.description
    if name == transformers.DESCRIPTION:  # which says what the numbers are made when they are read
        options = {**{key: value for key, value in options.items() if key != "torch_dtype"}, "dtype": dtype}
    return {name: as_json(options), **existing(checkpoint.path.parent, _BESIDE[name])}
