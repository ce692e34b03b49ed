"""Decoder of captions (CoCa; Yu et al., 2022), as `MultimodalTransformer` in open_clip/transformer.py."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.attention import join_in_proj, prepare_out_proj
from numpyclip.model.blocks import Blocks
from numpyclip.model.config import CLIPConfig, DecoderConfig, VisionTransformerConfig
from numpyclip.model.kv_cache import KVCache
from numpyclip.model.layers import Affine, LayerNorm, Linear, fold_norm, read_end
from numpyclip.model.ops import Array
from numpyclip.model.transformer import MLP, Block
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

Seen: TypeAlias = tuple[Array, Array]  # keys and values of images, (h, k, b, n)


@dataclass(frozen=True, eq=False, repr=False)
class CrossAttention:
    """Attention of texts to images: queries are made of the one, keys and values of the other."""

    query: Linear
    in_proj: Array  # (2 d, d): keys and values
    out_proj: Linear
    heads: int

    @classmethod
    def read(cls, weights: WeightReader, block: str, config: DecoderConfig) -> "CrossAttention":
        """Read the weights of a block's attention from the checkpoint, the norms before and the scale behind it."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, ...]:
            weight, bias = join_in_proj(checkpoint, f"{block}.attn")
            d = weight.shape[1]
            fold_norm(checkpoint, f"{block}.ln_1", weight[:d], bias[:d])
            fold_norm(checkpoint, f"{block}.ln_1_kv", weight[d:], bias[d:])
            scale = np.float32(1 / math.sqrt(d // config.heads))
            behind = f"{block}.ls_1.gamma" if config.layer_scale else None
            out_proj = prepare_out_proj(checkpoint, f"{block}.attn.out_proj", bias[2 * d :], scale=behind)
            return weight[:d] * scale, bias[:d] * scale, weight[d:], *out_proj

        query_weight, query_bias, in_weight, out_weight, out_bias = weights.derive(f"{block}.attn", prepare)
        return cls(Linear(query_weight, query_bias), in_weight, Linear(out_weight, out_bias), config.heads)

    def look(self, x: Array) -> Seen:
        """Make keys and values of the tokens of images: (d, b, n), standardized."""
        d, b, n = x.shape
        keys, values = ops.linear(x, self.in_proj).reshape(2, self.heads, d // self.heads, b, n)
        return keys, values

    def __call__(self, x: Array, seen: Seen) -> Array:
        """Mix what is seen of each image into the tokens that belong to it: (d, b m) -> the same shape."""
        q = self.query(x).reshape(*seen[0].shape[:3], -1)
        return self.out_proj(ops.attention(q, *seen).reshape(x.shape))


@dataclass(frozen=True, eq=False, repr=False)
class CrossBlock:
    """One residual block that attends to images, norms first."""

    attn: CrossAttention
    mlp: MLP
    eps: float

    @classmethod
    def read(cls, weights: WeightReader, name: str, config: DecoderConfig) -> "CrossBlock":
        """Read the weights under a name of the checkpoint."""
        return cls(CrossAttention.read(weights, name, config), MLP.read(weights, name, config), config.eps)

    def __call__(self, x: Array, seen: Seen) -> Array:
        """Add to the tokens that belong to each image: (d, b m) -> the same shape."""
        x = x + self.attn(ops.standardize(x, self.eps), seen)
        x += self.mlp(ops.standardize(x, self.eps))
        return x


@dataclass(frozen=True, eq=False, repr=False)
class DecoderBlock:
    """A block that attends to the caption so far, and one that attends to the image."""

    to_text: Block
    to_image: CrossBlock

    @classmethod
    def read(cls, weights: WeightReader, name: str, index: int, config: DecoderConfig) -> "DecoderBlock":
        """Take the weights of the two blocks of this index."""
        to_text = Block.read(weights, f"{name}.resblocks.{index}", config)
        return cls(to_text, CrossBlock.read(weights, f"{name}.cross_attn.{index}", config))

    def extend(self, x: Array, cache: KVCache, seen: Seen, mask: Array | None) -> Array:
        """Add to the next tokens of each caption, which join the cache: (d, b m) -> the same shape."""
        return self.to_image(self.to_text.extend(x, cache, mask), seen)


@dataclass(frozen=True, eq=False, repr=False)
class Decoder:
    """Blocks that attend to caption and image, and the vocabulary (CoCa's multimodal decoder)."""

    config: DecoderConfig
    ln_post: LayerNorm  # the last of the image tower
    blocks: Blocks[DecoderBlock]
    text_projection: Linear | Affine

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: DecoderConfig, vocab_size: int) -> expected.Tensors:
        """List the tensors of the decoder that are its own."""
        yield from expected.transformer(checkpoint, "text_decoder", config)
        for index in range(config.layers):
            block = f"text_decoder.cross_attn.{index}"
            yield from expected.block(checkpoint, block, config)
            yield from expected.norm(f"{block}.ln_1_kv", config.width)
        yield from expected.norm("text_decoder.ln_final", config.width)
        yield "text_decoder.text_projection", (config.width, vocab_size)

    @classmethod
    def read(cls, weights: WeightReader, config: CLIPConfig) -> "Decoder":
        """Take the weights of the decoder from the checkpoint."""
        own, vision = config.decoder, config.vision
        assert own is not None
        assert isinstance(vision, VisionTransformerConfig)
        blocks = [partial(DecoderBlock.read, weights, "text_decoder", index, own) for index in range(own.layers)]
        return cls(
            own,
            LayerNorm.read(weights, "visual.ln_post", vision.eps),
            weights.blocks(blocks),
            read_end(weights, "text_decoder.text_projection", "text_decoder.ln_final"),
        )

    def look(self, tokens: Array) -> list[Seen]:
        """Make what every block sees of images, given the tokens that describe them: (b, d, n)."""
        b, d, n = tokens.shape
        x = self.ln_post(tokens.transpose(1, 0, 2).reshape(d, b * n))
        x = ops.standardize(x, self.config.eps).reshape(d, b, n)  # each block has a norm of its own for it
        return self.blocks.each(lambda block: block.to_image.attn.look(x))

    def extend(self, x: Array, caches: Sequence[KVCache], seen: Sequence[Seen], mask: Array | None) -> Array:
        """Compute the next tokens of each caption, which join the blocks' caches: (d, b m) -> the same shape."""
        return self.blocks.run(x, lambda block, x, *state: block.extend(x, *state, mask), caches, seen)

    def logits(self, x: Array) -> Array:
        """Score all tokens as the next one, behind each of these: (d, n) -> (n, vocabulary)."""
        return np.ascontiguousarray(self.text_projection(ops.standardize(x, self.config.eps)).T)
