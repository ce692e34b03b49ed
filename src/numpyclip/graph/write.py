"""Graphs as files: one, or two where the weights are too large for one."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import onnx

from numpyclip.atomic import atomic_file

# A file of protocol buffers holds less than 2 GiB; nodes take a part of what is left.
MOST_BYTES = 2**31 - 2**26

_LEAST_BYTES = 1024  # of a weight that is written to the second file
_ALIGNMENT = 4096  # of weights there, so that runtimes can map them


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
        weights = path.with_name(f"{path.name}_data")
        with atomic_file(weights) as file:
            model = _move_weights(model, weights.name, file)
    with atomic_file(path) as file:
        file.write(model.SerializeToString())


def _move_weights(model: onnx.ModelProto, name: str, file: IO[bytes]) -> onnx.ModelProto:
    """Write the weights to a file of this name; return a copy of the model that refers to it."""
    light = onnx.ModelProto(ir_version=model.ir_version, producer_name=model.producer_name)
    light.opset_import.extend(model.opset_import)
    light.metadata_props.extend(model.metadata_props)
    light.graph.name = model.graph.name
    for field in ("node", "input", "output"):
        getattr(light.graph, field).extend(getattr(model.graph, field))
    for tensor in model.graph.initializer:
        size = len(tensor.raw_data)
        if size < _LEAST_BYTES:
            light.graph.initializer.append(tensor)
            continue
        file.write(bytes(-file.tell() % _ALIGNMENT))
        moved = light.graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        moved.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", name), ("offset", file.tell()), ("length", size)):
            moved.external_data.add(key=key, value=str(value))
        file.write(tensor.raw_data)
    return light
