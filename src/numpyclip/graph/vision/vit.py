"""Nodes of `numpyclip.model.vision.vit`."""

import numpy as np

from numpyclip.errors import InputError
from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.layers import standardize
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.vision.feature_maps import as_rows
from numpyclip.graph.vision.pixels import Pixels
from numpyclip.graph.vision.position_interpolation import interpolate_positions
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.vision.mbconv import MBConvStages
from numpyclip.model.vision.pool import AttentionalPool
from numpyclip.model.vision.vit import VisionTransformer


@visits(VisionTransformer)
def add_vision_transformer(tower: VisionTransformer, g: Graph, pixels: Pixels) -> Value:
    """-> (b, e)."""
    x, layout = _embed(tower, g, pixels)
    y = _pool(tower, g, x, layout)
    return y if tower.proj is None else visit(tower.proj, g.at("proj"), y)


def _embed(tower: VisionTransformer, g: Graph, pixels: Pixels) -> tuple[Value, TokenLayout]:
    """-> (b n, d), and its layout."""
    config, embedding = tower.config, g.at("embedding")
    if config.flexible:  # there are no tokens but patches
        rows, columns = pixels.grid(g, config.patch_size)
        layout = of_patches = TokenLayout(g.op("Mul", rows, columns))
        added = interpolate_positions(embedding, tower.embedding, rows, columns)
    else:
        layout, of_patches = TokenLayout(config.tokens), TokenLayout(config.tokens - config.prefix)
        added = embedding.weight("weight", np.ascontiguousarray(tower.embedding.T))
    tokens = of_patches.by_input(g, _patches(tower, g, pixels), config.width)
    if config.prefix:
        tokens = g.op("Pad", tokens, [0, config.prefix, 0, 0, 0, 0])
    x = g.op("Reshape", g.op("Add", tokens, added), [-1, config.width])
    return x if tower.ln_pre is None else visit(tower.ln_pre, g.at("ln_pre"), x), layout


def _patches(tower: VisionTransformer, g: Graph, pixels: Pixels) -> Value:
    """-> (b patches, d)."""
    stem, conv1, config = tower.stem, tower.conv1, tower.config
    if config.stem.zero_padding:
        pixels = pixels.shifted(g)
    if stem is None:
        assert conv1 is not None
        weight = g.weight("conv1.weight", pixels.in_order(conv1))
        return g.op("Gemm", pixels.patches(g, config.patch_size), weight, name="conv1", transB=1)
    if isinstance(stem, MBConvStages):
        x = visit(stem, g.at("stem"), pixels.normalized(g), config.stem.layers)  # (b, c, y, x)
    else:
        assert conv1 is not None
        x = visit(stem, g.at("stem"), pixels.planes(g))
        weight = g.matrix("conv1.weight", conv1.reshape(len(conv1), -1, 2, 2))
        x = g.op("Conv", x, weight, name="conv1", strides=[2, 2])
    return as_rows(g, x, config.width)


def _pool(tower: VisionTransformer, g: Graph, x: Value, layout: TokenLayout) -> Value:
    """(b n, d) -> (b, d)."""
    config, d, eps = tower.config, tower.config.width, tower.config.eps
    kind, norm = config.pool.kind, g.at("ln_post")
    if kind == "none":
        raise InputError(f"{g.name}: this model does not pool patches, so it cannot embed images.")
    x = visit(tower.transformer, g.at("transformer"), x, layout, pooled=kind == "tok")
    if kind == "tok":
        return standardize(norm, x, d, eps)
    pool = g.at("attn_pool")
    if isinstance(tower.attn_pool, AttentionalPool):
        return standardize(norm, visit(tower.attn_pool, pool, x, layout), tower.attn_pool.out_proj.output_dim, eps)
    if kind == "tok_map":
        return g.op("Add", visit(tower.attn_pool, pool, x, layout), layout.pick(g, layout.by_input(g, x, d)))
    if not config.pool.norm_after:
        x = standardize(norm, x, d, eps)
    if kind == "map" and not (config.pool.patches_only and config.prefix):
        return visit(tower.attn_pool, pool, x, layout)
    patches = layout.by_input(g, x, d)
    if config.prefix:
        patches = g.op("Slice", patches, [config.prefix], [config.tokens], [1])
    if kind == "map":
        return visit(tower.attn_pool, pool, patches, TokenLayout(config.tokens - config.prefix))
    y = g.op("ReduceMean", patches, axes=[1], keepdims=0)
    return standardize(norm, y, d, eps) if config.pool.norm_after else y
