"""Nodes of `numpyclip.model.vision.stem`."""

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.ops import gelu
from numpyclip.graph.visitors import visits
from numpyclip.model.ops import Array
from numpyclip.model.vision.stem import ConvStem


@visits(ConvStem)
def add_conv_stem(stem: ConvStem, g: Graph, planes: Value) -> Value:
    """(b, 3, y, x) -> (b, c, y / 8, x / 8)."""
    first = g.weight("0.conv.weight", stem.first.weight.reshape(-1, 3, 4, 4))
    x = gelu(g, _convolve(g.at("0.conv"), planes, first, stem.first.bias, 4))
    second = g.matrix("1.conv.weight", stem.second.weight.reshape(len(stem.second.bias), -1, 2, 2))
    return gelu(g, _convolve(g.at("1.conv"), x, second, stem.second.bias, 2))


def _convolve(g: Graph, x: Value, weight: Value, bias: Array, size: int) -> Value:
    return g.op("Conv", x, weight, g.weight("bias", bias), name="", strides=[size, size])
