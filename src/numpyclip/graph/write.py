"""Graphs as files: one, or two where the weights are too large for one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import onnx

from numpyclip.atomic import atomic_file
from numpyclip.graph.weight_file import WeightFile

# A file of protocol buffers holds less than 2 GiB; nodes take a part of what is left.
MOST_BYTES = 2**31 - 2**26


def write_graph(model: onnx.ModelProto, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Write a graph, with its weights in a second file beside it, `<name>_data`, if they are too large for one.

    Each file takes its name when it is complete, the weights first.

    Parameters
    ----------
    model : onnx.ModelProto
    path : Path
    most_bytes : int
        Size of the weights that are written to the same file.

    Raises
    ------
    NumPyCLIPError
        If it cannot be written.
    """
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) > most_bytes:
        stream_graph(partial(_move_weights, model), path)
        return
    with atomic_file(path) as file:
        file.write(model.SerializeToString())


def stream_graph(make: Callable[[WeightFile], onnx.ModelProto], path: Path) -> None:
    """Write a graph, and its weights as they are made to a second file: of a model with low memory, no two blocks.

    Parameters
    ----------
    make : callable
        Makes the graph: `lambda weights: image_graph(model, weights=weights)`, say.
    path : Path

    Raises
    ------
    NumPyCLIPError
        If it cannot be written.
    """
    weights = path.with_name(f"{path.name}_data")
    with atomic_file(weights) as file:
        model = make(WeightFile(file, weights.name))
    with atomic_file(path) as file:
        file.write(model.SerializeToString())


def _move_weights(model: onnx.ModelProto, weights: WeightFile) -> onnx.ModelProto:
    """Write the weights to a file; return a copy of the model that refers to it."""
    light = onnx.ModelProto(ir_version=model.ir_version, producer_name=model.producer_name)
    light.opset_import.extend(model.opset_import)
    light.metadata_props.extend(model.metadata_props)
    light.graph.name = model.graph.name
    for field in ("node", "input", "output"):
        getattr(light.graph, field).extend(getattr(model.graph, field))
    for tensor in model.graph.initializer:
        moved = light.graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        if not weights.add(moved, tensor.raw_data):
            moved.raw_data = tensor.raw_data
    return light
