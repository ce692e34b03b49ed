"""Nodes of `numpyclip.model.vision.position_interpolation`."""

import math

import numpy as np

from numpyclip.graph.builder import Graph, Value
from numpyclip.model.ops import Array


def interpolate_positions(g: Graph, embedding: Array, rows: int | Value, columns: int | Value) -> Value:
    """Resize a square of positions to so many rows and columns: (d, n n) -> (rows columns, d)."""
    d, n = embedding.shape
    side = math.isqrt(n)
    square = g.weight("weight", embedding.T.reshape(side, side * d))
    resized = g.op("MatMul", _weights(g, side, rows), square)  # (rows, n) (n, n d)
    resized = g.op("MatMul", _weights(g, side, columns), g.op("Reshape", resized, [-1, side, d]))
    return g.op("Reshape", resized, [-1, d])


def _weights(g: Graph, n: int, m: int | Value) -> Value:
    """Return the weights of n positions in each of m: -> (m, n)."""
    wide = g.in_float32()  # a thousandth of a position would be too much
    count = wide.shape(m)
    scale = wide.op("Div", float(n), wide.as_float(count))
    indices = wide.as_float(wide.op("Range", 0, wide.op("Squeeze", count), 1))
    centres = wide.op("Unsqueeze", wide.op("Mul", wide.op("Add", indices, 0.5), scale), [1])
    distances = wide.op("Abs", wide.op("Sub", np.arange(n) + 0.5, centres))
    weights = wide.op("Relu", wide.op("Sub", 1.0, wide.op("Div", distances, wide.op("Max", scale, 1.0))))
    return g.convert(wide.op("Div", weights, wide.op("ReduceSum", weights, [1], keepdims=1)), wide)
