"""Nodes of `numpyclip.model.vision.head`."""

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import standardize
from numpyclip.graph.ops import gelu
from numpyclip.graph.vision.feature_maps import MapShape, as_rows
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.transformer import MLP
from numpyclip.model.vision.head import Head


@visits(Head)
def add_head(head: Head, g: Graph, x: Value, shape: MapShape) -> Value:
    """(b, d, y, x) -> (b, e)."""
    y = as_rows(g, x, shape.channels) if head.pool else g.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    norm, hidden = g.at("trunk.head.norm"), g.at("trunk.head.pre_logits.fc")
    if head.eps is not None:
        y = standardize(norm, y, shape.channels, head.eps)
    if head.norm is not None:
        y = visit(head.norm, norm, y)
    if head.hidden is not None:
        y = gelu(hidden, visit(head.hidden, hidden, y))
    if head.pool is not None:
        y = visit(head.pool, g.at("head.pool"), y, shape)
    projection = g.at("head.mlp" if isinstance(head.projection, MLP) else "head.proj")
    return y if head.projection is None else visit(head.projection, projection, y)
