"""What is done to each pixel of feature maps, as nodes."""

import numpy as np
import pytest

from numpyclip.graph.builder import Graph
from numpyclip.graph.vision.feature_maps import MapShape as Shape
from numpyclip.graph.vision.feature_maps import as_maps, as_rows, average_pool, average_pool3x3, standardize_channels
from numpyclip.model import ops
from numpyclip.model.vision import feature_maps
from tests.graph.runtime import run

SIZES = ("batch", 4, "y", "x")


def maps(*sides: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, 4, *sides), np.float32)


@pytest.mark.parametrize("sides", [(4, 6), (5, 7), (1, 2), (3, 2)])
def test_maps_are_averaged_as_in_numpy(sides: tuple[int, int]) -> None:
    """Also those with an odd row or column at the edge."""
    innermost = np.ascontiguousarray(maps(*sides).transpose(1, 2, 3, 0))
    for add, function in ((average_pool, feature_maps.average_pool), (average_pool3x3, feature_maps.average_pool3x3)):
        expected = function(innermost).transpose(3, 0, 1, 2)
        if expected.size:
            g = Graph()
            model = g.output("y", add(g, g.input("x", np.float32, SIZES)), SIZES)
            np.testing.assert_allclose(run(model, maps(*sides)), expected, atol=1e-6)


def test_rows_are_pixels_and_become_the_same_maps() -> None:
    x, shape = maps(2, 3), Shape(4, 2, 3)
    g = Graph()
    rows = as_rows(g, g.input("x", np.float32, SIZES), 4)
    assert np.array_equal(run(g.output("rows", rows, ("rows", 4)), x), x.transpose(0, 2, 3, 1).reshape(-1, 4))
    g = Graph()
    same = as_maps(g, as_rows(g, g.input("x", np.float32, SIZES), 4), shape)
    assert np.array_equal(run(g.output("maps", same, SIZES), x), x)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-6), ("float16", 2e-3)])
def test_channels_are_standardized_whose_squares_float16_does_not_hold(precision: str, tolerance: float) -> None:
    x, g = 1000 * maps(2, 3) + 500, Graph(precision)  # type: ignore[arg-type]
    model = g.output("y", standardize_channels(g, g.input("x", np.float32, SIZES), 1e-6), SIZES)
    columns = np.ascontiguousarray(x.transpose(1, 0, 2, 3)).reshape(4, -1)
    expected = ops.standardize(columns, 1e-6).reshape(4, 2, 2, 3).swapaxes(0, 1)
    np.testing.assert_allclose(run(model, x), expected, atol=tolerance)


def test_sides_are_halved_as_convolutions_do_that_pad_or_that_drop_the_edge() -> None:
    assert Shape(3, 7, 8).halved() == (3, 4, 4)
    assert Shape(3, 7, 8).reduced(2) == (3, 3, 4)
