"""Changes to an ONNX graph: renaming, unit length, trimming or adding padding of texts, and normalized pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from numpyclip.images.preprocess import Preprocess
from numpyclip.model.text.text_config import TextConfig


def rename(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Rename inputs and outputs."""
    graph = model.graph
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(value, value) for value in values]


def normalize(model: onnx.ModelProto) -> None:
    """Scale embeddings to unit length."""
    output = model.graph.output[0].name
    _replace(model.graph, "output", output, "embeddings")
    model.graph.node.append(helper.make_node("LpNormalization", ["embeddings"], [output], "normalize", axis=-1, p=2))


def trim(model: onnx.ModelProto, config: TextConfig) -> None:
    """Drop the tokens behind the last pooled one of all texts, if attention is causal: they change nothing.

    Programs that pad every text to the context length then compute no padding.
    """
    if not config.causal or config.pool not in ("argmax", "eos"):
        return
    ids, dtype = _put_before(model.graph, "trimmed")
    constants = {name: np.array([value]) for name, value in (("trim.start", 0), ("trim.axis", 1), ("trim.one", 1))}
    searched, nodes = ids, []
    if config.pool == "eos":
        constants["trim.end_id"] = np.array(config.end_id or 0, dtype)
        nodes += [helper.make_node("Equal", [ids, "trim.end_id"], ["trim.Equal"], "trim.Equal")]
        searched = "trim.Equal"
    if searched != ids or dtype != np.int32:
        nodes += [helper.make_node("Cast", [searched], ["trim.Cast"], "trim.Cast", to=onnx.TensorProto.INT32)]
        searched = "trim.Cast"
    nodes += [
        helper.make_node("ArgMax", [searched], ["trim.ArgMax"], "trim.ArgMax", axis=1, keepdims=0),
        helper.make_node("ReduceMax", ["trim.ArgMax"], ["trim.last"], "trim.ReduceMax", keepdims=1),
        helper.make_node("Add", ["trim.last", "trim.one"], ["trim.length"], "trim.Add"),
        helper.make_node("Slice", [ids, "trim.start", "trim.length", "trim.axis"], ["trimmed"], "trim"),
    ]
    _prepend(model.graph, nodes, constants)


def pad(model: onnx.ModelProto, config: TextConfig, pad_id: int) -> None:
    """Pad texts to the context length, if their embeddings depend on the padding.

    Programs may then pad a batch to its longest text, as they do by default.
    """
    if config.least_length < config.context_length:
        return
    ids, dtype = _put_before(model.graph, "padded")
    constants = {
        "pad.length": np.array([config.context_length]),
        "pad.none": np.array([0, 0, 0]),
        "pad.axis": np.array([1]),
        "pad.id": np.array(pad_id, dtype),
    }
    nodes = [
        helper.make_node("Shape", [ids], ["pad.shape"], "pad.Shape"),
        helper.make_node("Gather", ["pad.shape", "pad.axis"], ["pad.found"], "pad.Gather"),
        helper.make_node("Sub", ["pad.length", "pad.found"], ["pad.missing"], "pad.Sub"),
        helper.make_node("Concat", ["pad.none", "pad.missing"], ["pad.pads"], "pad.Concat", axis=0),
        helper.make_node("Pad", [ids, "pad.pads", "pad.id"], ["padded"], "pad"),
    ]
    _prepend(model.graph, nodes, constants)


def take_pixel_values(model: onnx.ModelProto, preprocess: Preprocess) -> None:
    """Replace the input `pixels`, (b, y, x, 3) of 0..255, by `pixel_values`, (b, 3, y, x), which are normalized."""
    levels = np.float32(1 / preprocess.scale)
    std, mean = (levels * np.array(part, np.float32) for part in (preprocess.std, preprocess.mean))
    nodes = [
        helper.make_node("Transpose", ["pixel_values"], ["input.channels_last"], "input.Transpose", perm=[0, 2, 3, 1]),
        helper.make_node("Mul", ["input.channels_last", "input.std"], ["input.scaled"], "input.Mul"),
        helper.make_node("Add", ["input.scaled", "input.mean"], ["pixels"], "input.Add"),
    ]
    _prepend(model.graph, nodes, {"input.std": std, "input.mean": mean})
    sides = preprocess.sides if preprocess.patch_size is None else ("height", "width")
    value = helper.make_tensor_value_info("pixel_values", onnx.TensorProto.FLOAT, ("batch", 3, *sides))
    model.graph.input[0].CopyFrom(value)


def _put_before(graph: onnx.GraphProto, name: str) -> tuple[str, Any]:
    """Have the nodes read a value in place of the ids; return the name of these, and their dtype."""
    ids = graph.input[0].name
    _replace(graph, "input", ids, name)
    return ids, helper.tensor_dtype_to_np_dtype(graph.input[0].type.tensor_type.elem_type)


def _prepend(graph: onnx.GraphProto, nodes: list[onnx.NodeProto], constants: Mapping[str, NDArray[Any]]) -> None:
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def _replace(graph: onnx.GraphProto, side: str, old: str, new: str) -> None:
    for node in graph.node:
        values = getattr(node, side)
        values[:] = [new if value == old else value for value in values]
