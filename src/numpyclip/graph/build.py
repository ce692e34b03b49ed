"""The graphs of a model: one of its image tower, one of its text tower."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import onnx

from numpyclip.arguments import Precision
from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.vision.pixels import PixelInput, Pixels
from numpyclip.graph.visitors import visit
from numpyclip.graph.weight_file import WeightFile
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.tower import TextTower
from numpyclip.model.vision.tower import VisionTower


class Model(Protocol):
    """What is needed of a `numpyclip.CLIP`."""

    @property
    def config(self) -> CLIPConfig:
        """Sizes and options."""

    @property
    def visual(self) -> VisionTower:
        """The image tower."""

    @property
    def text(self) -> TextTower:
        """The text tower."""


def image_graph(
    model: Model,
    *,
    precision: Precision = "float32",
    pixels: PixelInput = "pixels",
    weights: WeightFile | None = None,
) -> onnx.ModelProto:
    """Write the image tower of a model as an ONNX graph, whose output is `image_embeds`, not normalized.

    Parameters
    ----------
    model : CLIP
    precision : {"float32", "bfloat16", "float16", "int8"}, default="float32"
        "float16" computes in float16. The others compute in float32, unless the engine rounds; matrices are stored as
        bfloat16, or as int8 with a scale for each row.
    pixels : {"pixels", "pixel_values"}, default="pixels"
        Its input: (batch, y, x, 3) of uint8, as `preprocess.crop` makes them, or (batch, 3, y, x) of float32, as
        `preprocess` does.
    weights : WeightFile, optional
        Where large weights are written: see `stream_graph`.

    Raises
    ------
    InputError
        If the model has no image tower, or one of a kind that cannot be written.
    """
    tower, g = model.visual, Graph(precision, weights)
    embeddings = visit(tower, g.at("visual"), Pixels.input(g, pixels, tower.preprocess))
    return _finish(g, "image_embeds", embeddings, model.config)


def text_graph(
    model: Model,
    *,
    precision: Precision = "float32",
    ids: Literal["int64", "int32"] = "int64",
    weights: WeightFile | None = None,
) -> onnx.ModelProto:
    """Write the text tower of a model as an ONNX graph, whose output is `text_embeds`, not normalized.

    Parameters
    ----------
    model : CLIP
    precision : {"float32", "bfloat16", "float16", "int8"}, default="float32"
        As for images.
    ids : {"int64", "int32"}, default="int64"
        Dtype of its input, `input_ids` (batch, length); texts need as many positions as `encode_text` asks for.
    weights : WeightFile, optional
        As for images.

    Raises
    ------
    InputError
        If the model has no text tower, or one of a kind that cannot be written.
    """
    tower, g = model.text, Graph(precision, weights)
    value = g.input("input_ids", np.dtype(ids).type, ("batch", "length"))
    if ids == "int32":
        value = g.cast(value, np.int64)
    return _finish(g, "text_embeds", visit(tower, g, value), model.config)


def _finish(g: Graph, name: str, embeddings: Value, config: CLIPConfig) -> onnx.ModelProto:
    """Truncate embeddings, and make them the output."""
    if config.embed_dim != config.tower_dim:
        embeddings = g.op("Slice", embeddings, [0], [config.embed_dim], [1])
    return g.output(name, embeddings, ("batch", config.embed_dim))
