"""Nodes of `numpyclip.model.text.mct`."""

import numpy as np

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import standardize
from numpyclip.graph.text.text_transformer import embed, length_of, pooled_position
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.text.mct import MCT, RepMixerBlock, TokenConvolution


@visits(TokenConvolution)
def add_token_convolution(layer: TokenConvolution, g: Graph, x: Value) -> Value:
    """(b, d, n) -> the same shape."""
    d, k = layer.weight.shape
    weight = g.weight("weight", layer.weight[:, np.newaxis])
    return g.op("Conv", x, weight, g.weight("bias", layer.bias), name="", group=d, pads=[k // 2, k // 2])


@visits(RepMixerBlock)
def add_rep_mixer_block(block: RepMixerBlock, g: Graph, x: Value, layout: TokenLayout, pooled: bool = False) -> Value:
    """Compute all tokens, (b n, d) -> the same shape, or the pooled token of each text only, -> (b, d)."""
    d = len(block.conv.bias)
    channels = g.op("Transpose", layout.by_input(g, x, d), perm=[0, 2, 1])
    mixed = visit(block.token_mixer, g.at("token_mixer"), channels)
    x, y = (
        g.op("Transpose", part, perm=[0, 2, 1]) for part in (mixed, visit(block.conv, g.at("mlp.conv"), mixed))
    )  # (b, n, d)
    x, y = (layout.pick(g, part) if pooled else g.op("Reshape", part, [-1, d]) for part in (x, y))
    return g.op("Add", x, visit(block.mlp, g.at("mlp"), y))


@visits(MCT)
def add_mct(tower: MCT, g: Graph, ids: Value) -> Value:
    """(b, n) -> (b, e)."""
    config = tower.config
    layout = TokenLayout(length_of(g, ids), pooled=pooled_position(config, g, ids))
    x = g.op("Reshape", embed(tower, g, ids), [-1, config.width])
    x = visit(tower.mixers[0], g.at("mixers.0"), x, layout)
    x = visit(tower.transformer, g.at("transformer"), x, layout)
    y = visit(tower.mixers[1], g.at("mixers.1"), x, layout, pooled=True)
    y = standardize(g.at("ln_final"), y, config.width, config.eps)
    return visit(tower.text_projection, g.at("text_projection"), y)
