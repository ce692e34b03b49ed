"""Graphs as files: one, or two where the weights are too large for one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import onnx

from numpyclip.atomic import atomic_file
from numpyclip.graph.weight_file import WeightFile, data_path

# A file of protocol buffers holds less than 2 GiB; nodes take a part of what is left.
_MOST_BYTES = 2**31 - 2**26


def write_graph(make: Callable[[WeightFile], onnx.ModelProto], path: Path) -> bool:
    """Write a graph down to the disk, its weights as external data only if they are too large for one file.

    Parameters
    ----------
    make : callable
        As for `stream_graph`.
    path : Path
        Its folder is made if it is missing.

    Returns
    -------
    bool
        Whether there is external data.

    Raises
    ------
    NumPyCLIPError or OSError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = stream_graph(make, path)
    is_external = weights.stat().st_size > _MOST_BYTES
    if not is_external:
        model = onnx.load(path)
        with atomic_file(path) as file:
            file.write(model.SerializeToString())
        weights.unlink()
    for written in (path, weights) if is_external else (path,):
        with written.open("rb+") as file:
            os.fsync(file.fileno())
    return is_external


def stream_graph(make: Callable[[WeightFile], onnx.ModelProto], path: Path) -> Path:
    """Write a graph, and its weights as external data as they are made: of a model with low memory, block by block.

    Each file takes its name when it is complete, the weights first.

    Parameters
    ----------
    make : callable
        Makes the graph: `lambda weights: image_graph(model, weights=weights)`, say.
    path : Path

    Returns
    -------
    Path
        The file of its external data.

    Raises
    ------
    NumPyCLIPError
        If it cannot be written.
    """
    weights = data_path(path)
    with atomic_file(weights) as file:
        model = make(WeightFile(file, weights.name))
    with atomic_file(path) as file:
        file.write(model.SerializeToString())
    return weights
