"""Graphs as files: one, or two where the weights are too large for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx

from numpyclip.atomic import atomic_file
from numpyclip.graph.weight_file import WeightFile

# A file of protocol buffers holds less than 2 GiB; nodes take a part of what is left.
MOST_BYTES = 2**31 - 2**26


def write_graph(make: Callable[[WeightFile], onnx.ModelProto], path: Path, *, most_bytes: int = MOST_BYTES) -> bool:
    """Write a graph, with its weights in a second file beside it, `<name>_data`, if they are too large for one.

    Parameters
    ----------
    make : callable
        As for `stream_graph`.
    path : Path
    most_bytes : int
        Size of the weights that are written to the same file.

    Returns
    -------
    bool
        Whether there is a second file.

    Raises
    ------
    NumPyCLIPError
        If it cannot be written.
    """
    weights = stream_graph(make, path)
    if weights.stat().st_size > most_bytes:
        return True
    model = onnx.load(path)
    with atomic_file(path) as file:
        file.write(model.SerializeToString())
    weights.unlink()
    return False


def stream_graph(make: Callable[[WeightFile], onnx.ModelProto], path: Path) -> Path:
    """Write a graph, and its weights as they are made to a second file: of a model with low memory, no two blocks.

    Each file takes its name when it is complete, the weights first.

    Parameters
    ----------
    make : callable
        Makes the graph: `lambda weights: image_graph(model, weights=weights)`, say.
    path : Path

    Returns
    -------
    Path
        The second file.

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
    return weights
