"""Save a model: check, plan, write."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.saving.plan import DType, Plan
    from numpyclip.weights.checkpoint import Checkpoint

Format: TypeAlias = Literal["open_clip", "transformers", "int8"]

FORMATS: tuple[Format, ...] = get_args(Format)
DTYPES: tuple[DType, ...] = ("float32", "float16", "bfloat16")


def save(
    model: CLIP | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    format: Format = "open_clip",
    *,
    dtype: DType = "float32",
    overwrite: bool = False,
) -> Path:
    """Save a model as a folder that NumPyCLIP and other libraries load.

    Parameters
    ----------
    model : CLIP, or str or path
        A model, or what `load` takes.
    folder : str or path
        To be created, atomically.
    format : {"open_clip", "transformers", "int8"}, default="open_clip"
        The layout of OpenCLIP (``open_clip_config.json``), whose `create_model` loads ``local-dir:FOLDER``; that of
        transformers (``config.json``), for ``from_pretrained``; or the layout that the model was loaded from, with
        int8 matrices, a quarter of float32's size, which only NumPyCLIP loads.
    dtype : {"float32", "float16", "bfloat16"}, default="float32"
        Of the weights; with "int8", of those that are not quantized. float32 is lossless.
    overwrite : bool, default=False
        Replace a saved model.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UnsupportedCheckpointError
        If the format cannot express the model, or the dtype a weight; the message says which.
    InputError
        If an argument is wrong, or the folder exists.
    NumPyCLIPError
        If it cannot be written.
    """
    from numpyclip.atomic import atomic_folder
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.loader import load
    from numpyclip.saving.target_folder import check_target

    if format not in FORMATS:
        raise InputError(f"format is {format!r:.60}; expected {' or '.join(map(repr, FORMATS))}.")
    if dtype not in DTYPES:
        raise InputError(f"dtype is {dtype!r:.60}; expected {' or '.join(map(repr, DTYPES))}.")
    loaded = model if isinstance(model, CLIP) else load(model)[0]
    if loaded.checkpoint is None:
        raise InputError(_why_not(loaded))
    if loaded.config.full_dim is not None:
        raise InputError("no format says that embeddings are truncated; load the model without truncate_dim.")
    target = Path(folder).resolve()  # where a link points
    with atomic_folder(target, overwrite) as part:
        check_target(target, loaded.checkpoint.path, overwrite)
        plan = _plan(loaded, loaded.checkpoint, format, dtype)
        _write(plan, part)
    if plan.warning:
        warnings.warn(f"{folder}: {plan.warning}", stacklevel=2)
    return Path(folder)


def _why_not(model: CLIP) -> str:
    """Say why a model without a checkpoint cannot be saved."""
    tower = model._image_engine_tower or model._text_engine_tower
    if tower is not None and tower.graph is not None:
        return f"{tower.graph.parent}: has ONNX graphs, no weights; save the model that was exported."
    return (
        "a model that was pickled, or has the text tower of another one, cannot be saved; expected one from "
        "numpyclip.load in this process."
    )


def _plan(model: CLIP, checkpoint: Checkpoint, format: Format, dtype: DType) -> Plan:
    from numpyclip.saving import open_clip, original_layout, transformers

    if format == "int8":
        return original_layout.plan_int8(model, checkpoint, dtype)
    if format == "open_clip":
        if original_layout.is_described_by(checkpoint, original_layout.OPEN_CLIP):
            return original_layout.plan(checkpoint, open_clip.WEIGHTS, dtype)
        return open_clip.plan(model, checkpoint, dtype)
    if original_layout.is_described_by(checkpoint, original_layout.TRANSFORMERS):
        return original_layout.plan(checkpoint, transformers.WEIGHTS, dtype)
    return transformers.plan(model, checkpoint, dtype)


def _write(plan: Plan, folder: Path) -> None:
    from numpyclip.atomic import write_files
    from numpyclip.weights.safetensors import write_safetensors

    write_files(folder, plan.files)
    write_safetensors(folder / plan.weights, plan.tensors, plan.metadata)
