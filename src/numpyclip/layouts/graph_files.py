"""An ONNX graph as a file, with its weights or beside them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import onnx

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.engines.names import Precision
from numpyclip.graph import stream_graph, write_graph
from numpyclip.graph.weight_file import WeightFile
from numpyclip.graph.write import MOST_BYTES

Make: TypeAlias = Callable[[WeightFile | None], onnx.ModelProto]

_BYTES: Mapping[Precision, int] = {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}  # of a weight


def are_large(model: CLIP, precision: Precision) -> bool:
    """Tell whether a graph of the model may be too large for one file, so that its weights are better streamed."""
    arrays = model.checkpoint.arrays.values() if model.checkpoint else ()
    return sum(math.prod(array.shape) for array in arrays) * _BYTES[precision] > MOST_BYTES


def write(make: Make, path: Path, is_large: bool) -> bool:
    """Write a graph, and the weights of a large one to a file of their own, `NAME.onnx_data`; return if there is one.

    Parameters
    ----------
    make : callable
        Makes the graph, with weights in a file if it is given one.
    path : Path
    is_large : bool
        Write weights as they are made, of which no more than a block's are in memory then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_large:
        stream_graph(make, path)
    else:
        write_graph(make(None), path, most_bytes=MOST_BYTES)
    weights = path.with_name(f"{path.name}_data")
    is_apart = weights.exists()
    for file in (path, weights) if is_apart else (path,):
        with file.open("rb+") as written:
            os.fsync(written.fileno())
    return is_apart


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, down to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
