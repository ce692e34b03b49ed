"""Nodes of `numpyclip.model.rope`.

Queries and keys are rotated as halves of a head: channel i and channel i + k / 2 are a point in a plane. Where they
are neighbors, the rows of the matrix that makes them are reordered, which changes no score.
"""

import numpy as np

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.visitors import visits
from numpyclip.model.ops import Array
from numpyclip.model.rope import Rope, TextRope


def in_halves(rope: Rope | TextRope, rows: Array, heads: int) -> Array:
    """Reorder what makes queries or keys, (h k, ...), so that the points of a head are in its halves."""
    if isinstance(rope, TextRope):
        return rows
    pairs = rows.reshape(heads, -1, 2, *rows.shape[1:])
    halves: Array = pairs.swapaxes(1, 2).reshape(rows.shape)
    return halves


@visits(Rope)
def rotate_patches(rope: Rope, g: Graph, x: Value, layout: TokenLayout) -> Value:
    """Rotate the last tokens, which are the patches: (b, n, h, k) -> the same shape."""
    cos, sin = (table[:, 0].T for table in (rope.cos, rope.sin))  # (patches, k / 2)
    assert isinstance(layout.length, int)
    unrotated = ((layout.length - len(cos), 0), (0, 0))
    cos, sin = np.pad(cos, unrotated, constant_values=1), np.pad(sin, unrotated)
    cos, sin = _for_halves(cos, sin)
    return _rotate(g, x, g.constant(cos), g.constant(sin), cos.shape[-1] // 2)


@visits(TextRope)
def rotate_text(rope: TextRope, g: Graph, x: Value, layout: TokenLayout) -> Value:
    """Rotate all tokens: (b, n, h, k) -> the same shape."""
    tables = _for_halves(*(table[:, 0].T for table in (rope.cos, rope.sin)))
    cos, sin = (g.op("Slice", table, [0], layout.length, [0]) for table in tables)
    return _rotate(g, x, cos, sin, rope.cos.shape[0])


def _for_halves(cos: Array, sin: Array) -> tuple[Array, Array]:
    """Lay out tables, (n, k / 2), for both halves of all heads: -> (n, 1, k)."""
    return np.concatenate([cos, cos], axis=1)[:, np.newaxis], np.concatenate([-sin, sin], axis=1)[:, np.newaxis]


def _rotate(g: Graph, x: Value, cos: Value, sin: Value, half: int) -> Value:
    first, second = (g.op("Slice", x, [start], [start + half], [3]) for start in (0, half))
    return g.op("Add", g.op("Mul", x, cos), g.op("Mul", g.op("Concat", second, first, axis=3), sin))
