"""Nodes of `numpyclip.model.attention`."""

import numpy as np

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import multiply, standardize
from numpyclip.graph.rope import in_halves
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.attention import Attention
from numpyclip.model.ops import Array


@visits(Attention)
def add_attention(layer: Attention, g: Graph, x: Value, layout: TokenLayout, pooled: bool = False) -> Value:
    """Mix tokens, (b n, d) -> the same shape, or into the pooled token of each input only, -> (b, d)."""
    width = len(layer.in_proj) // 3
    if pooled and len(layer.bias) == width:
        mixed = _mix_into_pooled(layer, g, x, layout)
    else:
        mixed = _mix(layer, g, x, layout, pooled)
    if layer.inner_eps is not None:
        mixed = standardize(g.at("ln_inner"), mixed, width, layer.inner_eps)
    return visit(layer.out_proj, g.at("out_proj"), mixed)


def _mix(layer: Attention, g: Graph, x: Value, layout: TokenLayout, pooled: bool) -> Value:
    h, width = layer.heads, len(layer.in_proj) // 3
    q, k, v = (layout.by_input(g, part, h, width // h) for part in _queries_keys_values(layer, g.at("in_proj"), x))
    if layer.rope is not None:
        q, k = (visit(layer.rope, g.at("rope"), part, layout) for part in (q, k))
    mask = layout.mask
    if pooled:
        q = g.op("Unsqueeze", layout.pick(g, q), [1])  # (b, 1, h, k)
        mask = layout.mask_of_pooled(g)
        mask = mask and g.op("Unsqueeze", mask, [-2])
    return g.op("Reshape", attend(g, q, k, v, mask), [-1, width])


def _queries_keys_values(layer: Attention, g: Graph, x: Value) -> list[Value]:
    """Multiply by three matrices: runtimes would have to copy what one matrix made, to split it."""
    width = len(layer.in_proj) // 3
    biases = np.split(layer.bias, range(width, len(layer.bias), width))
    parts = []
    for i, letter in enumerate("qkv"):
        weight, bias = layer.in_proj[i * width : (i + 1) * width], biases[i] if i < len(biases) else None
        if layer.rope is not None and letter in "qk":
            weight = in_halves(layer.rope, weight, layer.heads)
            bias = None if bias is None else in_halves(layer.rope, bias, layer.heads)
        parts.append(multiply(g.at(letter), x, weight, bias))
    return parts


def attend(g: Graph, q: Value, k: Value, v: Value, mask: Value | None = None) -> Value:
    """Mix values by how well queries match keys: (b, n, h, k), (b, m, h, k), (b, m, h, k) -> (b, n, h, k)."""
    q, v = (g.op("Transpose", part, perm=[0, 2, 1, 3]) for part in (q, v))
    scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 2, 3, 1]))  # (b, h, n, m)
    if mask is not None:
        scores = g.op("Add", scores, mask)
    mixed = g.op("MatMul", g.op("Softmax", scores, axis=-1), v)
    return g.op("Transpose", mixed, perm=[0, 2, 1, 3])


def _mix_into_pooled(layer: Attention, g: Graph, x: Value, layout: TokenLayout) -> Value:
    h, (width, d) = layer.heads, (len(layer.in_proj) // 3, layer.in_proj.shape[1])
    q, k, v = layer.in_proj.reshape(3, width, d)
    tokens = layout.by_input(g, x, d)
    query = multiply(g.at("in_proj.q"), layout.pick(g, tokens), q, layer.bias)
    return attend_with(g, query, (k.reshape(h, -1, d), v.reshape(h, -1, d)), tokens, layout.mask_of_pooled(g))


def attend_with(g: Graph, query: Value, keys_values: tuple[Array, Array], x: Value, mask: Value | None = None) -> Value:
    """Let a query of each input attend to all its tokens: (b, h k), (h, k, d) twice, (b, n, d) -> (b, h k)."""
    keys, values = keys_values
    h, k, _ = keys.shape
    query = g.op("Transpose", g.op("Reshape", query, [-1, h, k]), perm=[1, 0, 2])
    absorbed = g.op("MatMul", query, g.matrix("in_proj.k.weight", keys))  # (h, b, k) (h, k, d)
    return attend_once(g, g.op("Transpose", absorbed, perm=[1, 2, 0]), values, x, mask)


def attend_once(g: Graph, absorbed: Value | Array, values: Array, x: Value, mask: Value | None = None) -> Value:
    """Let one query of each input attend to all its tokens: (b, d, h) or (d, h), (h, k, d), (b, n, d) -> (b, h k).

    As in `numpyclip.model.attention.attend`, the matrix of keys is absorbed by the query before, in `attend_with`, and
    that of values is multiplied with the mixture, instead of all tokens.
    """
    scores = g.op("Transpose", g.op("MatMul", x, absorbed), perm=[0, 2, 1])  # (b, n, h) -> (b, h, n)
    if mask is not None:
        scores = g.op("Add", scores, mask)
    mixture = g.op("MatMul", g.op("Softmax", scores, axis=-1), x)  # (b, h, n) (b, n, d)
    mixture = g.op("Transpose", mixture, perm=[1, 2, 0])
    mixed = g.op("MatMul", g.matrix("in_proj.v.weight", values), mixture)  # (h, k, d) (h, d, b)
    h, k, _ = values.shape
    return g.op("Reshape", g.op("Transpose", mixed, perm=[2, 0, 1]), [-1, h * k])
