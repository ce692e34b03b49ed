"""Nodes of `numpyclip.model.vision.mbconv`."""

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.ops import gelu
from numpyclip.graph.vision.convolution import convolve, convolve_squares
from numpyclip.graph.vision.feature_maps import average_pool3x3, norm_channels, standardize_channels
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.vision.mbconv import EPS, MBConvBlock, MBConvStages, NormedConvolution


@visits(MBConvStages)
def add_mbconv_stages(stages: MBConvStages, g: Graph, x: Value, layers: tuple[int, ...]) -> Value:
    """(b, 3, y, x), normalized -> (b, d, y / 16, x / 16); `layers` are the blocks of each stage."""
    x = convolve(stages.first, g.at("stem.conv1"), x, 3)
    x = visit(stages.steps[0], g.at("stem"), x, "norm1", "conv2")
    names = [f"stages.{stage}.{index}" for stage, count in enumerate(layers) for index in range(count)]
    for step, name in enumerate(names, start=1):
        x = visit(stages.steps[step], g.at(name), x)
    return visit(stages.steps[len(names) + 1], g.at("pool"), x, "norm", "proj")


@visits(NormedConvolution)
def add_normed_convolution(layer: NormedConvolution, g: Graph, x: Value, norm: str, conv: str) -> Value:
    """(b, c, y, x) -> (b, e, y / stride, x / stride)."""
    x = norm_channels(g.at(norm), x, layer.norm)
    return convolve(layer.conv, g.at(conv), gelu(g, x) if layer.gelu else x, layer.norm.affine.output_dim)


@visits(MBConvBlock)
def add_mbconv_block(block: MBConvBlock, g: Graph, x: Value) -> Value:
    """(b, c, y, x) -> (b, d, y / stride, x / stride)."""
    y = convolve_squares(g.at("conv1_1x1"), standardize_channels(g.at("pre_norm"), x, EPS), block.widen)
    y = convolve(block.conv, g.at("conv2_kxk"), gelu(g, y), block.widen.output_dim)
    y = convolve_squares(g.at("conv3_1x1"), gelu(g, y), block.narrow)
    if block.conv.stride > 1:
        x = average_pool3x3(g.at("shortcut"), x)
    return g.op("Add", y, x if block.expand is None else convolve_squares(g.at("shortcut.expand"), x, block.expand))
