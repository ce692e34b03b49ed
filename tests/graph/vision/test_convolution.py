"""Convolutions as nodes, against convolutions in NumPy."""

from typing import Any

import numpy as np
import onnx
import pytest

from numpyclip.graph.builder import Graph
from numpyclip.graph.vision.convolution import convolve, convolve_squares
from numpyclip.model.layers import Linear
from numpyclip.model.vision import feature_maps
from numpyclip.model.vision.convolution import Convolution
from tests.graph.runtime import run

RANDOM = np.random.default_rng(0)
SIZES = ("batch", 4, "y", "x")


def drawn(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape, np.float32)


def graph_of(layer: Convolution, precision: Any = "float32") -> Any:
    g = Graph(precision)
    y = convolve(layer, g.at("conv"), g.input("x", np.float32, SIZES), 4)
    return g.output("y", y, ("batch", len(layer.bias), "rows", "columns"))


@pytest.mark.parametrize(
    ("weight", "stride"),
    [
        ((6, 4), 1),  # 1 x 1
        ((6, 4 * 9), 1),
        ((6, 4 * 9), 2),
        ((4, 3, 3), 1),  # depthwise
        ((4, 7, 7), 2),
        ((8, 3, 3), 2),  # two filters per channel
    ],
)
@pytest.mark.parametrize("sides", [(6, 8), (5, 7)])
def test_a_convolution_is_that_of_numpy(weight: tuple[int, ...], stride: int, sides: tuple[int, int]) -> None:
    layer, x = Convolution(drawn(*weight), drawn(weight[0]), stride), drawn(2, 4, *sides)
    expected = layer(np.ascontiguousarray(x.transpose(1, 2, 3, 0))).transpose(3, 0, 1, 2)
    np.testing.assert_allclose(run(graph_of(layer), x), expected, atol=1e-5 * np.abs(expected).max())


def test_squares_are_multiplied_by_a_matrix_and_incomplete_ones_dropped() -> None:
    layer, x, g = Linear(drawn(6, 4 * 4), drawn(6)), drawn(2, 4, 5, 6), Graph()
    y = convolve_squares(g.at("conv"), g.input("x", np.float32, SIZES), layer, 2)
    squares = feature_maps.squares(np.ascontiguousarray(x.transpose(1, 2, 3, 0)), 2)
    expected = layer(squares).transpose(3, 0, 1, 2)
    found = run(g.output("y", y, ("batch", 6, "rows", "columns")), x)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("weight", "stored"), [((6, 36), onnx.TensorProto.INT8), ((4, 3, 3), onnx.TensorProto.FLOAT)])
def test_kernels_are_stored_as_int8_unless_they_are_depthwise(weight: tuple[int, ...], stored: int) -> None:
    """Those have few weights, and few of a row."""
    graph = graph_of(Convolution(drawn(*weight), drawn(weight[0])), "int8").graph
    assert {tensor.name: tensor.data_type for tensor in graph.initializer}["conv.weight"] == stored
