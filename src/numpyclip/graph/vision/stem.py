"""Nodes of `numpyclip.model.vision.stem`."""

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.ops import gelu
from numpyclip.graph.visitors import visits
from numpyclip.model.layers import Linear
from numpyclip.model.vision.stem import ConvStem


@visits(ConvStem)
def add_conv_stem(stem: ConvStem, g: Graph, planes: Value) -> Value:
    """(b, 3, y, x) -> (b, c, y / 8, x / 8)."""
    x = gelu(g, _convolve(g.at("0.conv"), planes, stem.first, 3, 4))
    return gelu(g, _convolve(g.at("1.conv"), x, stem.second, len(stem.first.bias), 2))


def _convolve(g: Graph, x: Value, layer: Linear, channels: int, size: int) -> Value:
    weight = g.matrix("weight", layer.weight.reshape(-1, channels, size, size))
    return g.op("Conv", x, weight, g.weight("bias", layer.bias), name="", strides=[size, size])
