"""Nodes of `numpyclip.model.text.t5`."""

import numpy as np

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.text.bidirectional import distances, encode, project
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.text.t5 import T5, T5Block, buckets


@visits(T5Block)
def add_t5_block(block: T5Block, g: Graph, x: Value, layout: TokenLayout, pooled: bool = False) -> Value:
    """Compute all tokens, (b n, d) -> the same shape, or the pooled token of each input only, -> (b, d)."""
    y = visit(block.attn, g.at("attn"), _normalize(g.at("ln_1"), x, block.eps), layout, pooled)
    if pooled:
        x = layout.pick(g, layout.by_input(g, x, block.attn.in_proj.shape[1]))
    x = g.op("Add", x, y)
    return g.op("Add", x, visit(block.mlp, g.at("mlp"), _normalize(g.at("ln_2"), x, block.eps)))


@visits(T5)
def add_t5(tower: T5, g: Graph, ids: Value) -> Value:
    """(b, n) -> (b, e)."""
    config, last = tower.config, g.at("ln_final")
    x = g.op("Reshape", g.at("token_embedding").rows("weight", tower.token_embedding, ids), [-1, config.width])

    def norm(x: Value) -> Value:
        return last.op("Mul", _normalize(last, x, config.eps), last.weight("weight", tower.ln_final))

    return project(tower, g, encode(tower, g, ids, x, norm, _bias(tower, g, ids)))


def _bias(tower: T5, g: Graph, ids: Value) -> Value:
    """Look up each distance up to the largest that makes a difference: (b, n) -> (h, n, n)."""
    most = tower.config.max_distance
    of_two = buckets(most + 1, tower.config)
    table = tower.relative_attention_bias[np.concatenate([of_two[:0:-1, 0], of_two[0]])]  # of -most to most
    weight = g.weight("relative_attention_bias", np.ascontiguousarray(table.T))
    later, g = distances(g, ids), g.at("relative_attention_bias")
    near = g.op("Max", g.op("Min", later, most), -most)
    return g.op("Gather", weight, g.op("Add", near, most), axis=1)


def _normalize(g: Graph, x: Value, eps: float) -> Value:
    """Give every row a mean square of 1: (rows, d) -> the same shape. Squares of T5 are too large for float16."""
    wide = g.in_float32()
    x = wide.convert(x, g)
    square = wide.op("ReduceMean", wide.op("Mul", x, x), axes=[-1])
    y = wide.op("Div", x, wide.op("Sqrt", wide.op("Add", square, eps)), name="")
    return g.convert(y, wide)
