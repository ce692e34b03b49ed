"""Nodes of `numpyclip.model.text.m2m100`."""

import math

from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.text.bidirectional import encode, positions_without_padding, project
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.text.m2m100 import M2M100, sinusoids


@visits(M2M100)
def add_m2m100(tower: M2M100, g: Graph, ids: Value) -> Value:
    """(b, n) -> (b, e)."""
    x = g.op("Reshape", _embed(tower, g, ids), [-1, tower.config.width])
    y = encode(tower, g, ids, x, lambda x: visit(tower.ln_final, g.at("ln_final"), x))
    return project(tower, g, y)


def _embed(tower: M2M100, g: Graph, ids: Value) -> Value:
    """(b, n) -> (b, n, d)."""
    config = tower.config
    tokens, positional = g.at("token_embedding"), g.at("positional_embedding")
    x = tokens.rows("weight", tower.token_embedding, ids)
    if config.scaled:
        x = tokens.op("Mul", x, math.sqrt(config.width))
    table = sinusoids(config.pad_id, config.context_length + 1, config.width)
    table[0] = 0
    position_ids = positions_without_padding(g, ids, config.pad_id)
    return positional.op("Add", x, positional.op("Gather", g.weight("positional_embedding", table), position_ids))
