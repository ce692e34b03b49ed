"""Nodes of `numpyclip.model.vision.attention_pool`."""

import numpy as np

from numpyclip.graph.attention import attend, attend_with
from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import multiply
from numpyclip.graph.rope import in_halves
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.vision.feature_maps import MapShape
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.vision.attention_pool import AttentionPool


@visits(AttentionPool)
def add_attention_pool(pool: AttentionPool, g: Graph, x: Value, shape: MapShape) -> Value:
    """(b n, d), the pixels -> (b, e)."""
    d, rows, columns = shape
    pixels = TokenLayout(rows * columns).by_input(g, x, d)
    tokens = g.op("Concat", g.op("ReduceMean", pixels, axes=[1]), pixels, axis=1)
    if pool.positional_embedding is None:
        mixed = _attend_rotated(pool, g, tokens, shape)
    else:
        positions = pool.positions(pool.positional_embedding, rows, columns)
        tokens = g.op("Add", tokens, g.weight("positional_embedding", np.ascontiguousarray(positions.T)))
        query = visit(pool.q_proj, g.at("q_proj"), g.op("Gather", tokens, 0, axis=1))
        keys, values = (part.reshape(pool.heads, -1, d) for part in (pool.k_proj, pool.v_proj))
        mixed = attend_with(g, query, (keys, values), tokens)
    return visit(pool.c_proj, g.at("c_proj"), mixed)


def _attend_rotated(pool: AttentionPool, g: Graph, tokens: Value, shape: MapShape) -> Value:  # (b, n, d) -> (b, d)
    assert pool.k_bias is not None
    d, rows, columns = shape
    rope, layout = pool.rope(rows, columns), TokenLayout(1 + rows * columns)
    q_weight, q_bias, k_weight, k_bias = (
        in_halves(rope, part, pool.heads) for part in (pool.q_proj.weight, pool.q_proj.bias, pool.k_proj, pool.k_bias)
    )
    by_head = pool.heads, d // pool.heads
    query = multiply(g.at("q_proj"), g.op("Gather", tokens, 0, axis=1), q_weight, q_bias)
    x = g.op("Reshape", tokens, [-1, d])
    keys = layout.by_input(g, multiply(g.at("k_proj"), x, k_weight, k_bias), *by_head)
    values = layout.by_input(g, multiply(g.at("v_proj"), x, pool.v_proj), *by_head)
    keys = visit(rope, g.at("rope"), keys, layout)
    return g.op("Reshape", attend(g, g.op("Reshape", query, [-1, 1, *by_head]), keys, values), [-1, d])
