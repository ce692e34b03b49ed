"""Attention pooling as nodes, of maps whose sides differ."""

import numpy as np
import pytest

from numpyclip.graph.builder import Graph
from numpyclip.graph.vision.feature_maps import MapShape, as_rows
from numpyclip.graph.visitors import visit
from numpyclip.model.layers import Linear
from numpyclip.model.vision.attention_pool import AttentionPool
from tests.graph.runtime import run

D, E, HEADS = 16, 6, 2
RANDOM = np.random.default_rng(0)


def drawn(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape, np.float32)


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("sides", [(3, 3), (4, 3), (2, 5)])
def test_maps_are_pooled_as_in_numpy(rotary: bool, sides: tuple[int, int]) -> None:
    """With positions of 3 by 3 pixels, interpolated where there are not as many."""
    positions, k_bias = (None, drawn(D)) if rotary else (drawn(D, 1 + 9), None)
    q_proj, c_proj = Linear(drawn(D, D) / np.float32(8), drawn(D)), Linear(drawn(E, D), drawn(E))
    pool = AttentionPool(positions, q_proj, drawn(D, D), k_bias, drawn(D, D), c_proj, HEADS)
    x, g = drawn(2, D, *sides), Graph()
    rows = as_rows(g, g.input("x", np.float32, ("batch", D, *sides)), D)
    y = visit(pool, g.at("attnpool"), rows, MapShape(D, *sides))
    expected = pool(np.ascontiguousarray(x.transpose(1, 2, 3, 0))).T
    found = run(g.output("y", y, ("batch", E)), x)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
