"""A graph that `numpyclip.export` has written, read back for an engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from numpyclip.errors import CheckpointError
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

    from numpyclip.graph.edits import take_pixel_values

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
        take_pixel_values(model, config.preprocess)
    for tensor in model.graph.initializer:
        if weights.add(tensor, tensor.raw_data):
            tensor.ClearField("raw_data")
    return model


def _names(model: Any) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the inputs of a graph, and its outputs with their last dimension."""
    outputs = [(each.name, each.type.tensor_type.shape.dim[-1:]) for each in model.graph.output]
    return [each.name for each in model.graph.input], [(name, dim[0].dim_value if dim else 0) for name, dim in outputs]
