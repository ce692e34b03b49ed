"""Nodes of `numpyclip.model.vision.head`."""

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import standardize
from numpyclip.graph.ops import gelu
from numpyclip.graph.vision.feature_maps import MapShape, as_rows
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.vision.head import Head


@visits(Head)
def add_head(head: Head, g: Graph, x: Value, shape: MapShape) -> Value:
    """(b, d, y, x) -> (b, e)."""
    y = as_rows(g, x, shape.channels) if head.pool else g.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    if head.eps is not None:
        y = standardize(g.at("norm"), y, shape.channels, head.eps)
    if head.norm is not None:
        y = visit(head.norm, g.at("norm"), y)
    if head.hidden is not None:
        y = gelu(g, visit(head.hidden, g.at("hidden"), y))
    if head.pool is not None:
        y = visit(head.pool, g.at("pool"), y, shape)
    return y if head.projection is None else visit(head.projection, g.at("proj"), y)
