"""Nodes of `numpyclip.model.vision.resnet`."""

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.ops import relu
from numpyclip.graph.vision.convolution import convolve
from numpyclip.graph.vision.feature_maps import MapShape, as_rows, average_pool
from numpyclip.graph.vision.pixels import Pixels
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.vision.resnet import Bottleneck, ModifiedResNet
from numpyclip.model.vision.vision_config import RESNET_STRIDE


@visits(ModifiedResNet)
def add_modified_resnet(tower: ModifiedResNet, g: Graph, pixels: Pixels) -> Value:
    """-> (b, e)."""
    x, channels = pixels.normalized(g), 3
    for index, conv in enumerate(tower.stem, start=1):
        x = relu(g, convolve(conv, g.at(f"conv{index}"), x, channels))
        channels = len(conv.bias)
    x = average_pool(g, x)
    layers = enumerate(tower.config.layers, start=1)
    names = [f"layer{stage}.{index}" for stage, count in layers for index in range(count)]
    for index, name in enumerate(names):
        x = visit(tower.blocks[index], g.at(name), x)
    rows, columns = (side // RESNET_STRIDE for side in tower.preprocess.sides)
    shape = MapShape(len(tower.attnpool.k_proj), rows, columns)
    return visit(tower.attnpool, g.at("attnpool"), as_rows(g, x, shape.channels), shape)


@visits(Bottleneck)
def add_bottleneck(block: Bottleneck, g: Graph, x: Value) -> Value:
    """(b, c, y, x) -> (b, 4 width, y / stride, x / stride)."""
    channels, width = block.conv1.weight.shape[1], len(block.conv1.bias)
    y = relu(g, convolve(block.conv1, g.at("conv1"), x, channels))
    y = relu(g, convolve(block.conv2, g.at("conv2"), y, width))
    if block.stride == 2:
        x, y = average_pool(g.at("downsample"), x), average_pool(g, y)
    y = convolve(block.conv3, g.at("conv3"), y, width)
    if block.downsample is not None:
        x = convolve(block.downsample, g.at("downsample.0"), x, channels)
    return relu(g, g.op("Add", y, x))
