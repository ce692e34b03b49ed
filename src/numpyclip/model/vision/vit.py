"""Vision transformer (Dosovitskiy et al., 2021), as `VisionTransformer` in clip/model.py of openai/CLIP.

And its variants: without a class token or a first norm, with more convolutions before the patch embedding, with the
mean of all tokens, or queries that attend to them, in place of the class token.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.images.preprocess import Preprocess
from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.layers import Affine, LayerNorm, Linear, fold_pixels, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.token_stages import TokenStage, TokenStages, as_rows
from numpyclip.model.transformer import MLP, Transformer
from numpyclip.model.vision import feature_maps
from numpyclip.model.vision.mbconv import MBConvStages
from numpyclip.model.vision.pool import AttentionalPool, MapPool
from numpyclip.model.vision.position_interpolation import interpolate_positions
from numpyclip.model.vision.stem import ConvStem
from numpyclip.model.vision.tower import VisionTower
from numpyclip.model.vision.vision_config import StemConfig, VisionTransformerConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class VisionTransformer(VisionTower):
    """A transformer on the patches of an image, and mostly a class token."""

    config: VisionTransformerConfig
    stem: ConvStem | MBConvStages | None
    conv1: Array | None  # (d, 3 p p), for patches of p by p pixels of 0..255, or (d, c 2 2) for the stem's output
    embedding: Array  # (d, n): positional and class embeddings, with the normalization of pixels folded in
    ln_pre: LayerNorm | None
    transformer: Transformer
    attn_pool: MapPool | AttentionalPool | None
    proj: Linear | MLP | Affine | None
    ln_post: LayerNorm | None  # folded into what follows, but for tokens that are neither pooled nor projected

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: VisionTransformerConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower."""
        yield from _embedding_tensors(config)
        d = config.width
        if config.norm_before:
            yield from expected.norm("visual.ln_pre", d)
        yield from expected.transformer(checkpoint, "visual.transformer", config)
        if config.pool.kind == "attn":
            yield from AttentionalPool.tensors(checkpoint, "visual.attn_pool", config, embed_dim)
            d = embed_dim
        if config.pool.kind != "tok_map":
            yield from expected.norm("visual.ln_post", d)
        if config.pool.kind in ("map", "tok_map"):
            yield from MapPool.tensors(checkpoint, "visual.attn_pool", config)
        if config.projection == "mlp":
            yield from expected.linear("visual.proj.c_fc", d, 2 * embed_dim)
            yield from expected.projection(checkpoint, "visual.proj.c_proj", 2 * embed_dim, embed_dim)
        elif config.projection:
            yield from expected.projection(checkpoint, "visual.proj", d, embed_dim)

    @classmethod
    def read(
        cls, weights: WeightReader, config: VisionTransformerConfig, preprocess: Preprocess
    ) -> "VisionTransformer":
        """Read the weights of this tower."""
        pool: MapPool | AttentionalPool | None = None
        if config.pool.kind in ("map", "tok_map"):
            norm = "visual.ln_post" if config.pool.kind == "map" else None
            pool = MapPool.read(weights, "visual.attn_pool", norm, config)
        elif config.pool.kind == "attn":
            pool = AttentionalPool.read(weights, "visual.attn_pool", config)
        return cls(
            config,
            preprocess,
            _read_stem(weights, config.stem, preprocess),
            *_read_embedding(weights, config, preprocess),
            LayerNorm.read(weights, "visual.ln_pre", config.eps) if config.norm_before else None,
            Transformer.read(weights, "visual.transformer", config),
            pool,
            _read_proj(
                weights, config, None if isinstance(pool, MapPool) or config.pool.kind == "none" else "visual.ln_post"
            ),
            None if config.pool.kind in ("attn", "tok_map") else LayerNorm.read(weights, "visual.ln_post", config.eps),
        )

    @property
    def output_dim(self) -> int:
        """Length of embeddings."""
        return self.config.width if self.proj is None else self.proj.output_dim

    def __call__(self, image: NDArray[Any]) -> Array:  # (b, 3, y, x), or (b, y, x, 3) of uint8 -> (b, e)
        y = self._pool(self._embed(image), len(image))
        embeddings: Array = (y if self.proj is None else self.proj(y)).T
        return embeddings

    @property
    def stages(self) -> TokenStages:
        """Layers, last norm and projection of its tokens."""
        return TokenStages(
            layers=self.config.layers,
            has_norm=self.ln_post is not None,
            norms_all=not (self.config.pool.kind == "tok" or self.config.pool.norm_after),
            projected_from=0 if self.config.projection and self.attn_pool is None else None,
        )

    def tokens(self, image: NDArray[Any], stage: TokenStage) -> Array:
        """Compute all tokens, or the patches in rows and columns: (b, 3, y, x) -> (b, n, d), or (b, r, c, d)."""
        b = len(image)
        x = self.transformer(self._embed(image), TokenLayout(b), stage.layer)
        if stage.project and self.proj is not None:
            x = self.proj(ops.standardize(x, self.config.eps))
        elif stage.norm and self.ln_post is not None:
            x = self.ln_post(x)
        tokens = as_rows(x, b)
        if stage.all_tokens:
            return tokens
        sides = image.shape[1:3] if image.dtype == np.uint8 else image.shape[2:]
        rows, columns = (side // self.config.patch_size for side in sides)
        return tokens[:, -rows * columns :].reshape(b, rows, columns, -1)

    def attention(self, image: NDArray[Any], index: int) -> Array:
        """Compute how much each token attends to each in one block: (b, 3, y, x) -> (b, h, n, n)."""
        return self.transformer.attention(self._embed(image), TokenLayout(len(image)), index)

    def describe(self, image: NDArray[Any]) -> Array:
        """Compute what a decoder attends to, before the last norm: (b, 3, y, x), or (b, y, x, 3) of uint8 -> (b, e, n).

        These are all tokens but the pooled one.
        """
        b = len(image)
        x = self.transformer(self._embed(image), TokenLayout(b))
        if isinstance(self.attn_pool, AttentionalPool):
            others: Array = self.attn_pool.others(x, b)
        else:
            others = x.reshape(len(x), b, -1)[:, :, int(self.config.class_token) :]
        described: Array = others.transpose(1, 0, 2)
        return described

    def _embed(self, image: NDArray[Any]) -> Array:  # -> (d, b n)
        embedding, patches = self._patches(image)
        d, b, _ = patches.shape
        first = self.config.prefix
        tokens = np.empty((d, b, embedding.shape[1]), np.float32)
        tokens[:, :, :first] = embedding[:, np.newaxis, :first]
        np.add(patches, embedding[:, np.newaxis, first:], out=tokens[:, :, first:])
        x = tokens.reshape(d, -1)
        return x if self.ln_pre is None else self.ln_pre(x)

    def _patches(self, image: NDArray[Any]) -> tuple[Array, Array]:
        """Return what is added to all tokens, (d, n), and embeddings of patches, (d, b, patches)."""
        if isinstance(self.stem, MBConvStages):
            return self.embedding, self.stem(image)
        pixels, p = self.preprocess.as_pixels(image), self.config.patch_size
        embedding = self.embedding
        if self.config.flexible:
            embedding = interpolate_positions(embedding, pixels.shape[2] // p, pixels.shape[3] // p)
        if self.config.stem.zero_padding:  # zeros are black here: no such model has a mean other than 0
            pixels = np.pad(pixels[:, :, :-1, :-1], ((0, 0), (0, 0), (1, 0), (1, 0)))
        patches = feature_maps.patches(pixels, p)
        if self.stem is not None:
            patches = self.stem(patches)
        assert self.conv1 is not None
        return embedding, ops.linear(patches, self.conv1)

    def _pool(self, x: Array, b: int) -> Array:  # (d, b n) -> (d, b)
        eps = self.config.eps
        if self.config.pool.kind == "none":
            raise InputError("This model does not pool patches, so it cannot embed images; use `image_tokens`.")
        if self.config.pool.kind == "tok":
            return ops.standardize(self.transformer.pooled(x, TokenLayout(b, pooled=np.zeros(b, int))), eps)
        x = self.transformer(x, TokenLayout(b))
        if isinstance(self.attn_pool, AttentionalPool):
            return ops.standardize(self.attn_pool(x, b), eps)
        if self.attn_pool is not None and self.config.pool.kind == "tok_map":
            return self.attn_pool(x, b) + x.reshape(len(x), b, -1)[:, :, 0]
        if not self.config.pool.norm_after:
            x = ops.standardize(x, eps)
        patches = x.reshape(len(x), b, -1)[:, :, self.config.prefix :]
        if self.attn_pool is not None:
            return self.attn_pool(patches.reshape(len(x), -1) if self.config.pool.patches_only else x, b)
        y: Array = patches.mean(axis=2)
        return ops.standardize(y, eps) if self.config.pool.norm_after else y


def _read_proj(
    weights: WeightReader, config: VisionTransformerConfig, norm: str | None
) -> Linear | MLP | Affine | None:
    if config.projection == "mlp":
        c_fc = Linear.read(weights, "visual.proj.c_fc", norm)
        return MLP(c_fc, read_projection(weights, "visual.proj.c_proj"), "gelu")
    if config.projection:
        return read_projection(weights, "visual.proj", norm)
    return None if norm is None else Affine.read(weights, norm)


def _embedding_tensors(config: VisionTransformerConfig) -> expected.Tensors:
    d, p = config.width, config.patch_size
    if config.stem.widths:
        yield from MBConvStages.tensors("visual.stem", config.stem, d)
    else:
        if config.stem.width:
            yield from ConvStem.tensors("visual.stem", config.stem.width)
        yield "visual.conv1.weight", (d, config.stem.width, 2, 2) if config.stem.width else (d, 3, p, p)
    if config.stem.patch_bias:
        yield "visual.conv1.bias", (d,)
    if config.class_token:
        yield "visual.class_embedding", (d,)
    if config.registers:
        yield "visual.register_embedding", (config.registers, d)
    if config.positions:
        patches = config.position_grid**2 if config.position_grid else math.prod(config.grid)
        yield "visual.positional_embedding", (patches + (config.prefix if config.class_position else 0), d)


def _read_stem(weights: WeightReader, config: StemConfig, preprocess: Preprocess) -> ConvStem | MBConvStages | None:
    if config.widths:
        return MBConvStages.read(weights, "visual.stem", config, preprocess)
    return ConvStem.read(weights, "visual.stem", preprocess) if config.width else None


def _read_embedding(
    weights: WeightReader, config: VisionTransformerConfig, preprocess: Preprocess
) -> tuple[Array | None, Array]:
    """Take the patch embedding, if any, and all that is added to its output."""

    def prepare(checkpoint: Checkpoint) -> tuple[Array, ...]:
        embedding = _token_embedding(checkpoint, config)
        if config.stem.widths:
            return (embedding,)
        conv1 = checkpoint.copy("visual.conv1.weight")  # (d, 3, p, p)
        patches = embedding[:, config.prefix :]
        if config.stem.patch_bias:
            patches += checkpoint.take("visual.conv1.bias")[:, np.newaxis]
        if not config.stem.width:
            patches += fold_pixels(preprocess, conv1)[:, np.newaxis]
        return conv1.reshape(len(conv1), -1), embedding

    *conv1, embedding = weights.derive("visual.embedding", prepare)
    return (conv1[0] if conv1 else None), embedding


def _token_embedding(checkpoint: Checkpoint, config: VisionTransformerConfig) -> Array:
    """Add up positional, class and register embeddings: -> (d, n)."""
    embedding: Array = np.zeros((config.width, config.tokens), np.float32)
    if config.positions:
        positions = checkpoint.take("visual.positional_embedding").T
        if config.position_grid:
            positions = interpolate_positions(positions, *config.grid, config.position_kind)
        embedding[:, 0 if config.class_position else config.prefix :] = positions
    if config.class_token:
        embedding[:, 0] += checkpoint.take("visual.class_embedding")
    if config.registers:
        embedding[:, int(config.class_token) : config.prefix] += checkpoint.take("visual.register_embedding").T
    return embedding
