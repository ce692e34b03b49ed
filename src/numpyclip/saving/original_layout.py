"""A model in the layout that it was loaded from, with its own names and config file, in another dtype.

So every model can be saved as int8, even those that no other layout can express.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.families.repository_files import (
    INT8_WEIGHTS,
    OPEN_CLIP_CONFIG,
    PROCESSOR_FILES,
    TOKENIZER_FILES,
    TRANSFORMERS_CONFIG,
    find_beside,
)
from numpyclip.families.text_encoders import FOLDER
from numpyclip.saving.plan import DType, Plan, Weight, as_json
from numpyclip.weights.checkpoint import SIZE_RECORDS, Checkpoint, is_floating
from numpyclip.weights.read import ACTIVATION_KEY
from numpyclip.weights.safetensors import Unwritten, unwritten

OPEN_CLIP, TRANSFORMERS = OPEN_CLIP_CONFIG, TRANSFORMERS_CONFIG


def is_described_by(checkpoint: Checkpoint, file: str) -> bool:
    """Tell whether a model was read by a config file of this name, and so has its layout."""
    return checkpoint.config_file is not None and checkpoint.config_file.name == file


def plan(checkpoint: Checkpoint, weights: str, dtype: DType) -> Plan:
    """Plan a folder in the model's own layout, in floating point."""
    original = _original(checkpoint)
    tensors: list[Unwritten] = []
    for name, array in original.arrays.items():
        tensors += [Weight.of(name, original, name).in_floats(dtype)] if is_floating(array) else unwritten(name, array)
    metadata = {"format": "pt"} if is_described_by(checkpoint, TRANSFORMERS) else {}
    return Plan(weights, tensors, metadata, _files(checkpoint, dtype))


def plan_int8(model: CLIP, checkpoint: Checkpoint, dtype: DType) -> Plan:
    """Plan a folder with int8 weights; `dtype` is that of the other tensors.

    For a model without a config file, the weights' file records the activation, which shapes cannot tell.
    """
    is_described = checkpoint.config_file is not None
    if not is_described and model.config.family not in ("openai", "apple"):
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: cannot be saved as int8: this model has no config file, and is not in OpenAI's "
            "layout, which needs none. Pass a model that numpyclip.load has returned."
        )
    original = checkpoint if model.config.family == "openai" else _original(checkpoint)
    tensors: list[Unwritten] = []
    for name, array in original.arrays.items():
        tensors += Weight.of(name, original, name).in_int8(dtype) if is_floating(array) else unwritten(name, array)
    if is_described:
        return Plan(INT8_WEIGHTS, tensors, files=_files(checkpoint, dtype))
    activation = model.config.activation
    assert activation is not None  # a model without a config file has both towers
    return Plan(INT8_WEIGHTS, tensors, {ACTIVATION_KEY: activation})


def existing(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Find those files that exist."""
    return {name: folder / name for name in names if (folder / name).is_file()}


def _original(checkpoint: Checkpoint) -> Checkpoint:
    """Return all weights of the file, by its own names."""
    if not checkpoint.stored:  # a family's module has dropped them
        raise UnsupportedCheckpointError(f"{checkpoint.path}: has no weights in the layout of a file.")
    arrays = {name: array for name, array in checkpoint.stored.items() if name not in SIZE_RECORDS}
    return replace(checkpoint, arrays=arrays)


def _files(checkpoint: Checkpoint, dtype: DType) -> dict[str, bytes | Path]:
    """Write the config file; copy the other files beside the weights."""
    config_file = checkpoint.config_file
    assert config_file is not None
    options = dict(config_file.options)
    if config_file.name == TRANSFORMERS:  # which says to which dtype weights are converted
        options.pop("torch_dtype", None)
        options["dtype"] = dtype
    beside: list[str] = []
    if config_file.name == OPEN_CLIP and "hf_model_name" in options["model_cfg"]["text_cfg"]:
        beside.append(TRANSFORMERS)  # which may be that of the text tower
    if isinstance(base := options.get("modelBase"), str) and FOLDER.fullmatch(base):  # M-CLIP's
        beside.append(f"{base}/{TRANSFORMERS}")
    kinds = [TOKENIZER_FILES, PROCESSOR_FILES] if config_file.name == TRANSFORMERS else [TOKENIZER_FILES]
    folder = checkpoint.path.parent
    files: dict[str, bytes | Path] = {**existing(folder, beside)}
    for kind in kinds:
        files |= existing(find_beside(folder, kind), kind)
    return {**files, config_file.name: as_json(options)}
