"""Nodes of `numpyclip.model.vision.feature_maps`, and of operations on each pixel. Maps are (b, c, y, x)."""

from __future__ import annotations

from typing import NamedTuple

from numpyclip.graph.builder import Graph, Value
from numpyclip.model.layers import LayerNorm


class MapShape(NamedTuple):
    """Channels, rows and columns of a feature map."""

    channels: int
    rows: int
    columns: int

    def reduced(self, stride: int) -> MapShape:
        """Divide the sides by a stride; an incomplete square at the edge is dropped."""
        return MapShape(self.channels, self.rows // stride, self.columns // stride)

    def halved(self) -> MapShape:
        """Take every other row and column."""
        return MapShape(self.channels, -(-self.rows // 2), -(-self.columns // 2))


def as_rows(g: Graph, x: Value, channels: int) -> Value:
    """Turn pixels into the rows of a matrix, like tokens: (b, c, y, x) -> (b y x, c)."""
    return g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 3, 1]), [-1, channels])


def as_maps(g: Graph, x: Value, shape: MapShape) -> Value:
    """Turn rows into feature maps: (b y x, c) -> (b, c, y, x)."""
    x = g.op("Reshape", x, [-1, shape.rows, shape.columns, shape.channels])
    return g.op("Transpose", x, perm=[0, 3, 1, 2])


def standardize_channels(g: Graph, x: Value, eps: float) -> Value:
    """Give the channels of every pixel mean 0 and variance 1: (b, c, y, x) -> the same shape.

    `LayerNormalization` wants channels last: in both runtimes two transposes take longer than these operators.
    """
    wide = g.in_float32()
    x = wide.convert(x, g)  # the squares of numbers above 255 are too large for float16
    x = wide.op("Sub", x, wide.op("ReduceMean", x, axes=[1]))
    variance = wide.op("ReduceMean", wide.op("Mul", x, x), axes=[1])
    return g.convert(wide.op("Div", x, wide.op("Sqrt", wide.op("Add", variance, eps))), wide)


def norm_channels(g: Graph, x: Value, layer: LayerNorm) -> Value:
    """Apply a layer norm to the channels of every pixel: (b, c, y, x) -> the same shape."""
    weight, bias = (part.reshape(-1, 1, 1) for part in (layer.affine.weight, layer.affine.bias))
    x = g.op("Mul", standardize_channels(g, x, layer.eps), g.weight("weight", weight))
    return g.op("Add", x, g.weight("bias", bias))


def average_pool(g: Graph, x: Value) -> Value:
    """Average squares of 2 by 2 pixels: (b, c, y, x) -> (b, c, y // 2, x // 2)."""
    return g.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])


def average_pool3x3(g: Graph, x: Value) -> Value:
    """Average 3 by 3 pixels, of those within the map: (b, c, y, x) -> (b, c, y / 2, x / 2), rounded up."""
    return g.op("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
