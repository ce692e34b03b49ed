"""Nodes of `numpyclip.model.layers`. A token is a row: activations are (b n, d)."""

import numpy as np

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.visitors import visits
from numpyclip.model.layers import Affine, LayerNorm, Linear
from numpyclip.model.ops import Array


@visits(Linear)
def add_linear(layer: Linear, g: Graph, x: Value) -> Value:
    """(rows, d) -> (rows, e)."""
    return multiply(g, x, layer.weight, layer.bias)


def multiply(g: Graph, x: Value, weight: Array, bias: Array | None = None) -> Value:
    """Multiply rows by a matrix (e, d), and add a bias (e,), unless it is 0: (rows, d) -> (rows, e)."""
    return g.product(x, weight, None if bias is None or not bias.any() else bias)


@visits(Affine)
def add_affine(layer: Affine, g: Graph, x: Value) -> Value:
    """(rows, d) -> (rows, d)."""
    return g.op("Add", g.op("Mul", x, g.weight("weight", layer.weight)), g.weight("bias", layer.bias))


@visits(LayerNorm)
def add_layer_norm(layer: LayerNorm, g: Graph, x: Value) -> Value:
    """(rows, d) -> (rows, d)."""
    weight, bias = g.weight("weight", layer.affine.weight), g.weight("bias", layer.affine.bias)
    return g.op("LayerNormalization", x, weight, bias, name="", axis=-1, epsilon=layer.eps)


def standardize(g: Graph, x: Value, width: int, eps: float) -> Value:
    """Give every row mean 0 and variance 1: (rows, width) -> the same shape.

    The bias is optional, but without it ONNX Runtime aborts until 1.18.
    """
    ones, zeros = np.ones(width, np.float32), np.zeros(width, np.float32)
    return g.op("LayerNormalization", x, ones, zeros, name="", axis=-1, epsilon=eps)
