"""An ONNX graph as a file, with its weights or beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import onnx

from numpyclip.graph import write_graph
from numpyclip.graph.weight_file import WeightFile
from numpyclip.graph.write import MOST_BYTES


def write(make: Callable[[WeightFile], onnx.ModelProto], path: Path) -> bool:
    """Write a graph, as `write_graph` does, down to the disk; return whether its weights are in a second file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_apart = write_graph(make, path, most_bytes=MOST_BYTES)
    for file in path.parent.glob(f"{path.name}*"):
        with file.open("rb+") as written:
            os.fsync(written.fileno())
    return is_apart
