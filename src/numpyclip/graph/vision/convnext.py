"""Nodes of `numpyclip.model.vision.convnext`."""

from collections.abc import Iterator

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.vision.convolution import add_steps, convolve_squares
from numpyclip.graph.vision.feature_maps import MapShape, norm_channels, standardize_channels
from numpyclip.graph.vision.pixels import Pixels
from numpyclip.graph.visitors import visits
from numpyclip.model.vision.convnext import ConvNeXt, Downsample, Stem


@visits(ConvNeXt)
def add_convnext(tower: ConvNeXt, g: Graph, pixels: Pixels) -> Value:
    """-> (b, e)."""
    return add_steps(tower, g, pixels.planes(g), _steps(tower))


def _steps(tower: ConvNeXt) -> Iterator[tuple[str, MapShape]]:
    """Name the steps, with the shapes of what they read."""
    shape = MapShape(3, *tower.preprocess.sides)
    yield "stem", shape
    shape = shape.reduced(4)
    for stage, (count, width) in enumerate(zip(tower.config.layers, tower.config.widths, strict=True)):
        if stage:
            yield f"stages.{stage}.downsample", shape
            shape = shape.reduced(2)
        shape = shape._replace(channels=width)
        for index in range(count):
            yield f"stages.{stage}.blocks.{index}", shape


@visits(Stem)
def add_stem(stem: Stem, g: Graph, x: Value, shape: MapShape) -> Value:
    """(b, 3, y, x) of 0..255 -> (b, c, y // 4, x // 4)."""
    return norm_channels(g.at("1"), convolve_squares(g.at("0"), x, stem.conv, 4), stem.norm)


@visits(Downsample)
def add_downsample(layer: Downsample, g: Graph, x: Value, shape: MapShape) -> Value:
    """(b, c, y, x) -> (b, e, y // 2, x // 2)."""
    return convolve_squares(g.at("1"), standardize_channels(g.at("0"), x, layer.eps), layer.conv, 2)
