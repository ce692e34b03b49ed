"""Nodes of `numpyclip.model.text.text_transformer`."""

import numpy as np

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import standardize
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.visitors import visit, visits
from numpyclip.model import ops
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.text.text_transformer import TextTransformer


@visits(TextTransformer)
def add_text_transformer(tower: TextTransformer, g: Graph, ids: Value) -> Value:
    """(b, n) -> (b, e)."""
    config = tower.config
    x = embed(tower, g, ids)
    length = length_of(g, ids)
    if config.has_class_token:
        x, length = _append_class_token(tower, g, ids, x), g.at("length").op("Add", length, [1])
    layout = TokenLayout(length, _mask(config, g, ids, length), pooled_position(config, g, ids))
    x = g.op("Reshape", x, [-1, config.width])
    y = visit(tower.transformer, g.at("transformer"), x, layout, pooled=True)
    y = standardize(g.at("ln_final"), y, config.width, config.eps)
    return visit(tower.text_projection, g.at("text_projection"), y)


def _append_class_token(tower: TextTransformer, g: Graph, ids: Value, x: Value) -> Value:
    """(b, n, d) -> (b, n + 1, d)."""
    token, g = g.weight("cls_emb", tower.positional_embedding[np.newaxis, -1:]), g.at("cls_emb")
    batch = g.op("Slice", g.op("Shape", ids), [0], [1])
    return g.op("Concat", x, g.op("Expand", token, g.shape(batch, 1, 1)), axis=1)


def length_of(g: Graph, ids: Value) -> Value:
    """Return the length of texts in tokens, of shape (1,)."""
    g = g.at("length")
    return g.op("Slice", g.op("Shape", ids), [1], [2])


def embed(tower: TextTransformer, g: Graph, ids: Value) -> Value:
    """Embed tokens and their positions: (b, n) -> (b, n, d)."""
    weight, positional = g.weight("positional_embedding", tower.positional_embedding), g.at("positional_embedding")
    positions = positional.op("Slice", weight, [0], length_of(g, ids), [0])
    return positional.op("Add", g.at("token_embedding").rows("weight", tower.token_embedding, ids), positions)


def pooled_position(config: TextConfig, g: Graph, ids: Value) -> int | Value:
    """Find the pooled token, of each text if it differs."""
    g = g.at("pool")
    if config.pool in ("argmax", "eos"):
        searched = ids if config.pool == "argmax" else g.op("Equal", ids, config.end_id or 0)
        return g.op("ArgMax", g.cast(searched, np.int32), axis=1, keepdims=0)
    return 0 if config.pool == "first" else -1


def _mask(config: TextConfig, g: Graph, ids: Value, length: Value) -> Value | None:
    if not config.causal:
        return None
    g = g.at("mask")
    causal = g.constant(ops.causal_mask(config.context_length + config.has_class_token))
    mask = g.op("Slice", causal, [0, 0], g.shape(length, length), [0, 1])
    if not config.has_class_token:
        return mask
    hidden = g.op("Where", g.op("Equal", ids, config.pad_id), -np.inf, 0.0)
    hidden = g.op("Pad", hidden, [0, 1, 0, 0])  # see `TextTransformer.is_hidden`
    return g.op("Add", mask, g.op("Unsqueeze", hidden, [1, 2]))  # (b, 1, n, n)
