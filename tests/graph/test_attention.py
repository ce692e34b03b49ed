"""Attention as nodes, against attention in NumPy, with options that no family of these towers has together."""

import numpy as np
import pytest

from numpyclip.graph.builder import Graph
from numpyclip.graph.token_layout import TokenLayout as Layout
from numpyclip.graph.visitors import visit
from numpyclip.model import ops
from numpyclip.model.attention import Attention
from numpyclip.model.layers import Linear
from numpyclip.model.rope import TextRope
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.transformer_config import TextRopeConfig
from tests.graph.runtime import run

B, N, H, K, D = 3, 5, 2, 4, 12  # the heads are narrower together than the tokens
RANDOM = np.random.default_rng(0)
ROPE = TextRope.make(TextRopeConfig(base=100.0, length=9), K)
# Of all inputs, and of each: of their last tokens some are padding.
CAUSAL = ops.causal_mask(N)
PADDED = np.where(np.arange(N) < np.array([3, 5, 4])[:, np.newaxis], np.float32(0), np.float32(-np.inf))[:, np.newaxis]


def drawn(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape, np.float32)


def attention(parts: int, rope: TextRope | None = None, inner_eps: float | None = None) -> Attention:
    """With the biases of queries, of keys and of values, as far as they are kept."""
    out_proj = Linear(drawn(D, H * K), drawn(D))
    return Attention(drawn(3 * H * K, D), drawn(parts * H * K), out_proj, H, rope, inner_eps)


@pytest.mark.parametrize("layer", [attention(1), attention(2, ROPE), attention(3, None, 1e-5)])
@pytest.mark.parametrize(
    ("mask", "positions"),
    [
        *((mask, positions) for mask in (None, CAUSAL, PADDED) for positions in (None, (0, 0, 0))),
        *((mask, positions) for mask in (None, CAUSAL) for positions in ((2, 2, 2), (4, 4, 4), (2, 4, 1))),
    ],
)
def test_tokens_are_mixed_as_in_numpy(
    layer: Attention, mask: np.ndarray | None, positions: tuple[int, ...] | None
) -> None:
    """The length is dynamic, and the position of the pooled token where it differs."""
    x, g = drawn(B * N, D), Graph()
    value, length = g.input("x", np.float32, ("rows", D)), g.input("length", np.int64, (1,))
    inputs = [x, np.array([N])]
    added = None if mask is None else g.constant(mask if mask is CAUSAL else mask[:, np.newaxis])
    layout = Layout(length, added)
    if positions is not None and len(set(positions)) == 1:
        layout = Layout(length, added, positions[0] if positions[0] < N - 1 else -1)
    elif positions is not None:
        layout = Layout(length, added, g.input("pooled", np.int64, ("batch",)))
        inputs.append(np.array(positions))
    y = visit(layer, g.at("attn"), value, layout, pooled=positions is not None)
    found = run(g.output("y", y, ("rows", D)), *inputs)
    of_columns = TokenLayout(B, mask=mask, pooled=None if positions is None else np.array(positions))
    expected = (layer if positions is None else layer.pooled)(np.ascontiguousarray(x.T), of_columns).T
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
