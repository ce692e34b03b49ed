"""A graph that `numpyclip.export` has written, read back for an engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from numpyclip.errors import CheckpointError
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.config import CLIPConfig

if TYPE_CHECKING:
    from numpyclip.graph.weight_file import WeightFile

Input: TypeAlias = Literal["pixels", "pixel_values", "input_ids"]


def read_graph(path: Path, kind: Input, config: CLIPConfig, weights: WeightFile) -> Any:
    """Read a graph, with an input of this kind, and move its weights to a file.

    Raises
    ------
    CheckpointError
        If the file has no graph of such a tower.
    """
    import onnx

    try:
        model = onnx.load(path)
    except Exception as error:  # of no common class
        raise CheckpointError(f"{path}: not an ONNX graph, or damaged ({error!s:.200}).") from error
    is_text = kind == "input_ids"
    (given, made), (expected, output) = _names(model), (kind if is_text else "pixels", "text" if is_text else "image")
    if given != [expected] or made != [(f"{output}_embeds", config.embed_dim)]:
        raise CheckpointError(
            f"{path}: takes {', '.join(given):.60} and makes {', '.join(map(str, made)):.60}; expected {expected}, and "
            f"{output}_embeds of {config.embed_dim} dimensions. Use the files that were exported together."
        )
    if kind == "pixel_values":
        _take_pixel_values(model, config.preprocess)
    for tensor in model.graph.initializer:
        if weights.add(tensor, tensor.raw_data):
            tensor.ClearField("raw_data")
    return model


def _names(model: Any) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the inputs of a graph, and its outputs with their last dimension."""
    outputs = [(each.name, each.type.tensor_type.shape.dim[-1:]) for each in model.graph.output]
    return [each.name for each in model.graph.input], [(name, dim[0].dim_value if dim else 0) for name, dim in outputs]


def _take_pixel_values(model: Any, preprocess: Preprocess) -> None:
    """Replace the input: normalised pixels, (b, 3, y, x) of float32, become those of 0..255, (b, y, x, 3)."""
    from onnx import TensorProto, helper, numpy_helper

    graph, levels = model.graph, np.float32(1 / preprocess.scale)
    std, mean = (levels * np.array(part, np.float32) for part in (preprocess.std, preprocess.mean))
    graph.initializer.extend([numpy_helper.from_array(std, "input.std"), numpy_helper.from_array(mean, "input.mean")])
    nodes = [
        helper.make_node("Transpose", ["pixel_values"], ["input.channels_last"], "input.Transpose", perm=[0, 2, 3, 1]),
        helper.make_node("Mul", ["input.channels_last", "input.std"], ["input.scaled"], "input.Mul"),
        helper.make_node("Add", ["input.scaled", "input.mean"], ["pixels"], "input.Add"),
        *graph.node,
    ]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    shape = ["batch", 3, *preprocess.sides]
    graph.input.append(helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape))
