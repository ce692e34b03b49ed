"""Nodes of `numpyclip.model.transformer`."""

from collections.abc import Callable

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import standardize
from numpyclip.graph.ops import ACTIVATIONS
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.transformer import MLP, Block, Transformer


@visits(MLP)
def add_mlp(mlp: MLP, g: Graph, x: Value) -> Value:
    """(rows, d) -> (rows, e)."""
    if mlp.norm is not None:
        x = standardize(g.at("norm"), visit(mlp.norm, g.at("ln_2"), x), mlp.norm.output_dim, mlp.eps)
    y = visit(mlp.c_fc, g.at("c_fc"), x)
    if mlp.gate is not None:
        gate, y = g.split(y, 2, axis=1)
        y = g.op("Mul", ACTIVATIONS[mlp.gate](g, gate), y)
    else:
        y = ACTIVATIONS[mlp.activation](g, y)
    if mlp.inner_eps is not None:
        y = standardize(g.at("ln_inner"), y, mlp.c_proj.weight.shape[1], mlp.inner_eps)
    return visit(mlp.c_proj, g.at("c_proj"), y)


def add_residual(block: Block, g: Graph, x: Value, y: Value) -> Value:
    """Add the attention's output y to the tokens x, then the MLP's output to the sum."""
    x = g.op("Add", x, y if block.ln_1 is None else visit(block.ln_1, g.at("ln_1"), y))
    y = visit(block.mlp, g.at("mlp"), _norm(block, g.at("ln_2"), x))
    return g.op("Add", x, y if block.ln_2 is None else visit(block.ln_2, g.at("ln_2"), y))


@visits(Block)
def add_block(
    block: Block,
    g: Graph,
    x: Value,
    layout: TokenLayout,
    pooled: bool = False,
    add: Callable[[Block, Graph, Value, Value], Value] = add_residual,
) -> Value:
    """Compute all tokens, (b n, d) -> the same shape, or the pooled token of each input only, -> (b, d)."""
    y = visit(block.attn, g.at("attn"), _norm(block, g.at("ln_1"), x), layout, pooled)
    if pooled:
        x = layout.pick(g, layout.by_input(g, x, block.attn.in_proj.shape[1]))
    return add(block, g, x, y)


def _norm(block: Block, g: Graph, x: Value) -> Value:
    return standardize(g, x, block.attn.in_proj.shape[1], block.eps) if block.ln_1 is None else x


@visits(Transformer)
def add_transformer(transformer: Transformer, g: Graph, x: Value, layout: TokenLayout, pooled: bool = False) -> Value:
    """Compute all tokens, or in the last block the pooled token only: see `add_block`."""
    last = len(transformer.resblocks) - 1
    for i in range(last + 1):
        x = visit(transformer.resblocks[i], g.at(f"resblocks.{i}"), x, layout, pooled and i == last)
    return x
