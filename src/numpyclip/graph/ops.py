"""Nodes of the activations in `numpyclip.model.ops`, in operators that runtimes recognize and fuse into one."""

import math
from collections.abc import Callable

from numpyclip.graph.builder import Graph, Value


def quick_gelu(g: Graph, x: Value) -> Value:
    """Apply x sigmoid(1.702 x)."""
    return g.op("Mul", x, g.op("Sigmoid", g.op("Mul", x, 1.702)))


def silu(g: Graph, x: Value) -> Value:
    """Apply x sigmoid(x)."""
    return g.op("Mul", x, g.op("Sigmoid", x))


def gelu(g: Graph, x: Value) -> Value:
    """Apply x / 2 (1 + erf(x / √2)).

    ONNX Runtime recognizes it whatever x is; if the result were halved, not where x is a product.
    """
    y = g.op("Add", g.op("Erf", g.op("Div", x, math.sqrt(2))), 1.0)
    return g.op("Mul", g.op("Mul", x, 0.5), y)


def gelu_tanh(g: Graph, x: Value) -> Value:
    """Apply x / 2 (1 + tanh(√(2/π) (x + 0.044715 x³))), in this order."""
    cube = g.op("Mul", g.op("Pow", x, 3.0), 0.044715)
    y = g.op("Tanh", g.op("Mul", g.op("Add", x, cube), math.sqrt(2 / math.pi)))
    return g.op("Mul", g.op("Mul", x, 0.5), g.op("Add", y, 1.0))


def relu(g: Graph, x: Value) -> Value:
    """Replace negative numbers by 0, or as good as that: OpenVINO's `Relu` would replace NaN, too."""
    return g.op("LeakyRelu", x, alpha=1e-30)


ACTIVATIONS: dict[str, Callable[[Graph, Value], Value]] = {
    "quick_gelu": quick_gelu,
    "silu": silu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "relu": relu,
}
