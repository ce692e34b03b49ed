"""Nodes of `numpyclip.model.vision.stem`."""

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.ops import gelu
from numpyclip.graph.vision.convolution import convolve_squares
from numpyclip.graph.visitors import visits
from numpyclip.model.vision.stem import ConvStem


@visits(ConvStem)
def add_conv_stem(stem: ConvStem, g: Graph, planes: Value) -> Value:
    """(b, 3, y, x) -> (b, c, y / 8, x / 8)."""
    x = gelu(g, convolve_squares(g.at("0.conv"), planes, stem.first, 4))
    return gelu(g, convolve_squares(g.at("1.conv"), x, stem.second, 2))
