"""Nodes of `numpyclip.model.vision.fastvit`."""

from collections.abc import Iterator

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import standardize
from numpyclip.graph.ops import gelu, relu
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.vision.convolution import add_steps, convolve, convolve_squares
from numpyclip.graph.vision.feature_maps import MapShape, as_maps, as_rows
from numpyclip.graph.vision.pixels import Pixels
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.vision.fastvit import ActivatedConvolution, AttentionBlock, FastViT, RepMixerBlock, SqueezeExcite


@visits(FastViT)
def add_fastvit(tower: FastViT, g: Graph, pixels: Pixels) -> Value:
    """-> (b, e)."""
    return add_steps(tower, g, pixels.normalized(g), _steps(tower))


def _steps(tower: FastViT) -> Iterator[tuple[str, MapShape]]:
    """Name the steps, with the shapes of what they read."""
    config, shape = tower.config, MapShape(3, *tower.preprocess.sides)
    yield "stem.0", shape
    shape = shape.halved()._replace(channels=config.widths[0])
    yield "stem.1", shape
    shape = shape.halved()
    yield "stem.2", shape
    for stage, (count, width) in enumerate(zip(config.layers, config.widths, strict=True)):
        name = f"stages.{stage}"
        if stage:
            yield f"{name}.downsample.proj.0", shape
            shape = shape.halved()._replace(channels=width)
            yield f"{name}.downsample.proj.1", shape
        if config.has_attention(stage):
            yield f"{name}.pos_emb", shape
        for index in range(count):
            yield f"{name}.blocks.{index}", shape
    yield "final_conv", shape


@visits(SqueezeExcite)
def add_squeeze_excite(layer: SqueezeExcite, g: Graph, x: Value) -> Value:
    """(b, c, y, x) -> the same shape."""
    y = relu(g, convolve_squares(g.at("fc1"), g.op("GlobalAveragePool", x), layer.fc1))
    return g.op("Mul", x, g.op("Sigmoid", convolve_squares(g.at("fc2"), y, layer.fc2)))


@visits(ActivatedConvolution)
def add_activated_convolution(layer: ActivatedConvolution, g: Graph, x: Value, shape: MapShape) -> Value:
    """(b, c, y, x) -> (b, e, y / stride, x / stride)."""
    x = convolve(layer.conv, g, x, shape.channels)
    return gelu(g, x if layer.squeeze is None else visit(layer.squeeze, g.at("se"), x))


@visits(RepMixerBlock)
def add_rep_mixer_block(block: RepMixerBlock, g: Graph, x: Value, shape: MapShape) -> Value:
    """(b, c, y, x) -> the same shape."""
    x = convolve(block.token_mixer, g.at("token_mixer"), x, shape.channels)
    return visit(block.mlp, g, x, shape, conv="mlp.conv")


@visits(AttentionBlock)
def add_attention_block(block: AttentionBlock, g: Graph, x: Value, shape: MapShape) -> Value:
    """(b, c, y, x) -> the same shape."""
    pixels = as_rows(g, x, shape.channels)
    if block.eps is not None:
        pixels = standardize(g.at("norm"), pixels, shape.channels, block.eps)
    mixed = visit(block.attn, g.at("token_mixer"), pixels, TokenLayout(shape.rows * shape.columns))
    return visit(block.mlp, g, g.op("Add", x, as_maps(g, mixed, shape)), shape, conv="mlp.conv")
