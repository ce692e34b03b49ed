"""Nodes of `numpyclip.model.text.bert`."""

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import standardize
from numpyclip.graph.text.bidirectional import distances, encode, positions_without_padding, project
from numpyclip.graph.text.text_transformer import length_of
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.transformer import add_block
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.text.bert import Bert, SumNormBlock, alibi
from numpyclip.model.transformer import Block
from numpyclip.model.transformer_config import EPS


@visits(SumNormBlock)
def add_sum_norm_block(block: SumNormBlock, g: Graph, x: Value, layout: TokenLayout, pooled: bool = False) -> Value:
    """Compute all tokens, or the pooled token of each input only: see `add_block`."""
    return add_block(block, g, x, layout, pooled, _add)


def _add(block: Block, g: Graph, x: Value, y: Value) -> Value:
    x = visit(block.ln_1, g.at("ln_1"), g.op("Add", x, y))
    return visit(block.ln_2, g.at("ln_2"), g.op("Add", x, visit(block.mlp, g.at("mlp"), x)))


@visits(Bert)
def add_bert(tower: Bert, g: Graph, ids: Value) -> Value:
    """(b, n) -> (b, e)."""
    config = tower.config
    x = g.op("Reshape", _embed(tower, g, ids), [-1, config.width])

    def norm(x: Value) -> Value:
        standardized = standardize(g.at("ln_final"), x, config.width, config.eps)
        return visit(tower.end, g.at("end"), standardized)

    y = encode(tower, g, ids, visit(tower.ln_pre, g.at("ln_pre"), x), norm if tower.end else None, _bias(tower, g, ids))
    if tower.pooler is not None:
        y = g.op("Tanh", visit(tower.pooler, g.at("pooler"), y))
    y = project(tower, g, y)
    return standardize(g.at("standardize"), y, tower.output_dim, EPS) if config.standardized else y


def _embed(tower: Bert, g: Graph, ids: Value) -> Value:
    """(b, n) -> (b, n, d)."""
    config = tower.config
    x, positional = g.at("token_embedding").rows("weight", tower.token_embedding, ids), g.at("positional_embedding")
    if not config.has_table and not config.token_types:
        return x
    added = g.weight("positional_embedding", tower.positional_embedding)
    if config.has_table and config.first_place:
        added = positional.op("Gather", added, positions_without_padding(g, ids, config.pad_id))
    elif config.has_table:
        added = positional.op("Slice", added, [0], length_of(g, ids), [0])
    return positional.op("Add", x, added)


def _bias(tower: Bert, g: Graph, ids: Value) -> Value | None:
    """(b, n) -> (h, n, n)."""
    if not tower.config.alibi:
        return None
    slopes = alibi(tower.config.heads, 2)[:, :, 0, 1:]  # (h, 1, 1), of two tokens beside each other
    later, g = distances(g, ids), g.at("alibi")
    return g.op("Mul", g.as_float(g.op("Abs", later)), slopes)
