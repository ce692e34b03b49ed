"""Graphs that `numpyclip.export` has written, read back for an engine."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import onnx
from onnx import TensorProto

from numpyclip.errors import CheckpointError
from numpyclip.graph.edits import take_pixel_values
from numpyclip.graph.weight_file import WeightFile, data_path
from numpyclip.model.config import CLIPConfig
from numpyclip.regular_file import open_regular

Input: TypeAlias = Literal["pixels", "pixel_values", "input_ids"]

_SIZES = {  # bytes of a number
    **dict.fromkeys((TensorProto.BOOL, TensorProto.INT8, TensorProto.UINT8), 1),
    **dict.fromkeys((TensorProto.FLOAT16, TensorProto.BFLOAT16), 2),
    TensorProto.FLOAT: 4,
    TensorProto.INT64: 8,
}


def read_graph(path: Path, kind: Input, config: CLIPConfig, weights: WeightFile) -> onnx.ModelProto:
    """Read a graph, with an input of this kind, and move its weights to a file.

    Raises
    ------
    CheckpointError
        If the file has no graph of such a tower.
    """
    try:
        model = onnx.load(path, load_external_data=False)  # its location may be any file: graphs are untrusted
    except Exception as error:  # of no common class
        raise CheckpointError(f"{path}: not an ONNX graph, or damaged ({error!s:.200}).") from error
    is_text = kind == "input_ids"
    names, (expected, output) = _names(model), (kind if is_text else "pixels", "text" if is_text else "image")
    if names != ([expected], [(f"{output}_embeds", config.embed_dim)]):
        found = " and outputs ".join(", ".join(map(str, each))[:60] or "none" for each in names)
        raise CheckpointError(
            f"{path}: has inputs {found}; expected {expected}, and {output}_embeds of {config.embed_dim} dimensions. "
            "Use files that were exported together."
        )
    _move_weights(path, model, weights)
    if kind == "pixel_values":
        take_pixel_values(model, config.preprocess)
    return model


def _names(model: onnx.ModelProto) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the inputs of a graph, and its outputs with their last dimension."""
    outputs = [(each.name, each.type.tensor_type.shape.dim[-1:]) for each in model.graph.output]
    return [each.name for each in model.graph.input], [(name, dim[0].dim_value if dim else 0) for name, dim in outputs]


def _move_weights(path: Path, model: onnx.ModelProto, weights: WeightFile) -> None:
    """Move weights to a file, from the graph or from its external data."""
    initializers = model.graph.initializer
    if sum(map(_is_external, _tensors(model))) > sum(map(_is_external, initializers)):
        raise CheckpointError(f"{path}: a node has external data; expected only initializers. Export it again.")
    for tensor in initializers:
        if _is_external(tensor):
            tensor.raw_data = _read_external(path, tensor)
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
        if len(tensor.raw_data) != math.prod(tensor.dims) * _SIZES.get(tensor.data_type, -1):
            raise CheckpointError(  # OpenVINO would compute with whatever is behind it in memory
                f"{path}: {tensor.name!r:.100} has {len(tensor.raw_data)} bytes; expected those of its type and shape "
                f"{tuple(tensor.dims)}. Export it again."
            )
        if weights.add(tensor, tensor.raw_data):
            tensor.ClearField("raw_data")


def _tensors(message: Any) -> Iterator[Any]:
    """List the tensors within a message, those of nodes included."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in [value] if hasattr(value, "ListFields") else value:
                yield from [each] if field.message_type.name == "TensorProto" else _tensors(each)


def _is_external(tensor: onnx.TensorProto) -> bool:
    return bool(tensor.data_location == tensor.EXTERNAL)


def _read_external(path: Path, tensor: onnx.TensorProto) -> bytes:
    """Read a weight from the file beside the graph, and from no other that an untrusted graph may name."""
    file, about = data_path(path), {entry.key: entry.value for entry in tensor.external_data}
    place = f"{path}: has {tensor.name!r:.100} in the file {about.get('location')!r:.100}"
    if about.get("location") != file.name or file.resolve().parent != path.resolve().parent:
        raise CheckpointError(f"{place}; expected {file.name}, in one folder with the graph. Export it again.")
    try:
        start, size = int(about["offset"]), int(about["length"])
        with open_regular(file) as stream:
            if not 0 <= start <= start + size <= os.fstat(stream.fileno()).st_size:
                raise ValueError("it is too short")
            stream.seek(start)
            return stream.read(size)
    except (OSError, KeyError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{place}, which cannot be read ({reason!s:.100}). Export it again.") from error
