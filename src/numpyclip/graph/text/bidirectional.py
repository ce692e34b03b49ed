"""Nodes of `numpyclip.model.text.bidirectional`."""

from collections.abc import Callable

import numpy as np

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.text.text_transformer import length_of
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.visitors import visit
from numpyclip.model.text.bidirectional import Encoder
from numpyclip.model.text.encoder_configs import EncoderConfig


def encode(
    tower: Encoder,
    g: Graph,
    ids: Value,
    x: Value,
    norm: Callable[[Value], Value] | None = None,
    bias: Value | None = None,
) -> Value:
    """Compute blocks, norm and pool of embedded tokens: (b, n), (b n, d) -> (b, d).

    The bias, (h, n, n), is added to the scores of two tokens.
    """
    is_text, of_mask = _is_text(tower.config, g, ids), g.at("mask")
    mask = of_mask.op("Unsqueeze", of_mask.op("Where", is_text, 0.0, -np.inf), [1, 2])  # (b, 1, 1, n)
    layout = TokenLayout(length_of(g, ids), mask if bias is None else of_mask.op("Add", mask, bias))
    has_mean = tower.config.pool == "mean"
    y = visit(tower.transformer, g.at("transformer"), x, layout, pooled=not has_mean)
    y = y if norm is None else norm(y)
    return _mean(g, ids, y, is_text) if has_mean else y


def project(tower: Encoder, g: Graph, x: Value) -> Value:
    """(b, d) -> (b, e)."""
    return x if tower.text_projection is None else visit(tower.text_projection, g.at("text_projection"), x)


def positions(g: Graph, ids: Value) -> Value:
    """Count the tokens before each: (b, n) -> (n,)."""
    length, g = length_of(g, ids), g.at("positions")
    return g.op("Range", 0, g.op("Squeeze", length), 1)


def distances(g: Graph, ids: Value) -> Value:
    """Count how much later than each token each token comes: (b, n) -> (n, n), queries first."""
    position_ids, g = positions(g, ids), g.at("distances")
    return g.op("Sub", position_ids, g.op("Unsqueeze", position_ids, [1]))


def positions_without_padding(g: Graph, ids: Value, pad_id: int) -> Value:
    """Count the tokens up to each, without padding, for which it is 0: (b, n) -> (b, n)."""
    g = g.at("positions")
    is_text = g.cast(g.op("Not", g.op("Equal", ids, pad_id)), np.int64)
    return g.op("Mul", g.op("CumSum", is_text, 1), is_text)


def _is_text(config: EncoderConfig, g: Graph, ids: Value) -> Value:
    """Tell which tokens are attended to, of an empty text the first: (b, n) -> (b, n)."""
    position_ids, g = positions(g, ids), g.at("mask")
    is_padding = g.op("Equal", ids, config.pad_id)
    if config.masks_padding:
        rank = g.op("Where", is_padding, position_ids, -1)
        return g.op("Equal", rank, g.op("ReduceMin", rank, axes=[1]))
    last = g.op("ReduceMax", g.op("Where", is_padding, 0, position_ids), axes=[1])
    return g.op("LessOrEqual", position_ids, last)


def _mean(g: Graph, ids: Value, x: Value, is_text: Value) -> Value:
    """Average the tokens of each text: (b, n), (b n, d), (b, n) -> (b, d)."""
    g = g.at("pool")
    tokens = g.op("Reshape", x, g.op("Concat", g.op("Shape", ids), [-1], axis=0))
    counted = g.as_float(is_text)
    shares = g.op("Div", counted, g.op("ReduceSum", counted, [1]))
    return g.op("Squeeze", g.op("MatMul", g.op("Unsqueeze", shares, [1]), tokens), [1])  # (b, 1, n) (b, n, d)
