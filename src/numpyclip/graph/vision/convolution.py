"""Nodes of `numpyclip.model.vision.convolution`. Feature maps are (b, c, y, x)."""

import math
from collections.abc import Iterable
from dataclasses import replace

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.ops import ACTIVATIONS
from numpyclip.graph.vision.feature_maps import MapShape, standardize_channels
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.layers import Linear
from numpyclip.model.ops import Array
from numpyclip.model.vision.convolution import Convolution, ConvolutionalTower, ConvolutionMLP


def convolve(layer: Convolution, g: Graph, x: Value, channels: int) -> Value:
    """Convolve maps of so many channels, zero-padded: (b, c, y, x) -> (b, e, y / stride, x / stride)."""
    e, groups, kernel = len(layer.bias), 1, layer.weight
    if kernel.ndim == 3:
        if e > channels:
            return _convolve_with_several_filters(layer, g, x, channels)
        groups, k = channels, kernel.shape[-1]
    else:
        k = math.isqrt(kernel.shape[1] // channels)
    return g.op(
        "Conv",
        x,
        _kernel(g, kernel.reshape(e, channels // groups, k, k)),
        g.weight("bias", layer.bias),
        name="",
        strides=[layer.stride] * 2,
        pads=[k // 2] * 4,
        group=groups,
    )


def _convolve_with_several_filters(layer: Convolution, g: Graph, x: Value, channels: int) -> Value:
    """Convolve with one filter per channel at a time, for which runtimes have faster functions."""
    filters = len(layer.bias) // channels
    parts = [
        convolve(replace(layer, weight=layer.weight[i::filters], bias=layer.bias[i::filters]), g.at(i), x, channels)
        for i in range(filters)
    ]
    return g.op("Reshape", g.op("Concat", *parts, axis=2), [0, len(layer.bias), -1, 0])  # (b, c, filters y, x)


def convolve_squares(g: Graph, x: Value, layer: Linear, size: int = 1) -> Value:
    """Multiply every square of pixels by a matrix (e, c size size): (b, c, y, x) -> (b, e, y // size, x // size)."""
    kernel = _kernel(g, layer.weight.reshape(len(layer.weight), -1, size, size))
    return g.op("Conv", x, kernel, g.weight("bias", layer.bias), name="", strides=[size, size])


def _kernel(g: Graph, kernel: Array) -> Value:
    """Add the kernel (e, c, k, k) of a convolution: a matrix, unless it is depthwise, or of pixels."""
    return (g.weight if kernel.shape[1] in (1, 3) else g.matrix)("weight", kernel)


@visits(Convolution)
def add_convolution(layer: Convolution, g: Graph, x: Value, shape: MapShape) -> Value:
    """(b, c, y, x) -> (b, e, y / stride, x / stride)."""
    return convolve(layer, g, x, shape.channels)


@visits(ConvolutionMLP)
def add_convolution_mlp(layer: ConvolutionMLP, g: Graph, x: Value, shape: MapShape, conv: str = "conv_dw") -> Value:
    """(b, c, y, x) -> the same shape."""
    y = convolve(layer.conv, g.at(conv), x, shape.channels)
    if layer.eps is not None:
        y = standardize_channels(g.at("norm"), y, layer.eps)
    mlp = g.at("mlp")
    y = ACTIVATIONS[layer.mlp.activation](mlp, convolve_squares(mlp.at("fc1"), y, layer.mlp.c_fc))
    return g.op("Add", x, convolve_squares(mlp.at("fc2"), y, layer.mlp.c_proj))


def add_steps(tower: ConvolutionalTower, g: Graph, x: Value, names: Iterable[tuple[str, MapShape]]) -> Value:
    """Compute all steps, given their names and the shapes of what they read, and embed: (b, 3, y, x) -> (b, e)."""
    trunk = g.at("trunk")
    for index, (name, shape) in enumerate(names):
        x = visit(tower.steps[index], trunk.at(name), x, shape)
    return visit(tower.head, g, x, shape._replace(channels=tower.config.features))
