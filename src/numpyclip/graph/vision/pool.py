"""Nodes of `numpyclip.model.vision.pool`."""

from numpyclip.graph.attention import attend_once
from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import standardize
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.transformer_config import EPS
from numpyclip.model.vision.pool import AttentionalPool, MapPool


@visits(MapPool)
def add_map_pool(pool: MapPool, g: Graph, x: Value, layout: TokenLayout) -> Value:
    """(b n, d), standardized if there is a norm before -> (b, d)."""
    y = _attend(pool, g.at("attn"), x, layout)
    y = visit(pool.out_proj, g.at("attn.out_proj"), y)
    of_mlp = visit(pool.mlp, g.at("mlp"), standardize(g.at("ln_2"), y, pool.out_proj.output_dim, pool.eps))
    return g.op("Add", of_mlp, y) if pool.residual else of_mlp


@visits(AttentionalPool)
def add_attentional_pool(pool: AttentionalPool, g: Graph, x: Value, layout: TokenLayout) -> Value:
    """Compute the result of the first query: (b n, d) -> (b, e)."""
    x = standardize(g.at("ln_k"), x, pool.values.shape[2], EPS)
    return visit(pool.out_proj, g.at("attn.out_proj"), _attend(pool, g.at("attn"), x, layout))


def _attend(pool: MapPool | AttentionalPool, g: Graph, x: Value, layout: TokenLayout) -> Value:
    tokens = layout.by_input(g, x, pool.values.shape[2])
    return attend_once(g, g.weight("in_proj.qk.weight", pool.absorbed[:, 0].T), pool.values, tokens)
