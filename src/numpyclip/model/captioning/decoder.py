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
from numpyclip.model.config import CLIPConfig, DecoderConfig
from numpyclip.model.kv_cache import KVCache
from numpyclip.model.layers import LayerNorm, Linear, fold_norm, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.transformer import MLP, Block
from numpyclip.model.vision.vision_config import VisionTransformerConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

KeysValues: TypeAlias = tuple[Array, Array]  # of the tokens of images, (h, k, b, n)


@dataclass(frozen=True, eq=False, repr=False)
class CrossAttention:
    """Attention of captions to images: queries of the one, keys and values of the other."""

    query: Linear
    in_proj: Array  # (2 d, d): keys and values
    out_proj: Linear
    heads: int

    @classmethod
    def read(cls, weights: WeightReader, block: str, config: DecoderConfig) -> "CrossAttention":
        """Read the weights of a block's attention; fold in the norms before and the scale after it."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, ...]:
            weight, bias = join_in_proj(checkpoint, f"{block}.attn")
            d = weight.shape[1]
            fold_norm(checkpoint, f"{block}.ln_1", weight[:d], bias[:d])
            fold_norm(checkpoint, f"{block}.ln_1_kv", weight[d:], bias[d:])
            scale = np.float32(1 / math.sqrt(d // config.heads))
            layer_scale = f"{block}.ls_1.gamma" if config.layer_scale else None
            out_proj = prepare_out_proj(checkpoint, f"{block}.attn.out_proj", bias[2 * d :], scale=layer_scale)
            return weight[:d] * scale, bias[:d] * scale, weight[d:], *out_proj

        query_weight, query_bias, in_weight, out_weight, out_bias = weights.derive(f"{block}.attn", prepare)
        return cls(Linear(query_weight, query_bias), in_weight, Linear(out_weight, out_bias), config.heads)

    def keys_values(self, x: Array) -> KeysValues:
        """Compute keys and values of the tokens of images, standardized: (d, b, n)."""
        d, b, n = x.shape
        keys, values = ops.linear(x, self.in_proj).reshape(2, self.heads, d // self.heads, b, n)
        return keys, values

    def __call__(self, x: Array, image: KeysValues) -> Array:
        """Mix the tokens of each image into those of its captions: (d, b m) -> the same shape."""
        q = self.query(x).reshape(*image[0].shape[:3], -1)
        return self.out_proj(ops.attention(q, *image).reshape(x.shape))


@dataclass(frozen=True, eq=False, repr=False)
class DecoderBlock:
    """A block that attends to the caption so far, then attention to the image and an MLP, with norms before both."""

    to_text: Block
    attn: CrossAttention
    mlp: MLP
    eps: float

    @classmethod
    def read(cls, weights: WeightReader, name: str, index: int, config: DecoderConfig) -> "DecoderBlock":
        """Read the weights of this index under a name of the checkpoint."""
        to_text = Block.read(weights, f"{name}.resblocks.{index}", config)
        cross = f"{name}.cross_attn.{index}"
        return cls(to_text, CrossAttention.read(weights, cross, config), MLP.read(weights, cross, config), config.eps)

    def extend(self, x: Array, cache: KVCache, image: KeysValues, mask: Array | None) -> Array:
        """Compute the next tokens of each caption, and append them to the cache: (d, b m) -> the same shape."""
        x = self.to_text.extend(x, cache, mask)
        x = x + self.attn(ops.standardize(x, self.eps), image)
        x += self.mlp(ops.standardize(x, self.eps))
        return x


@dataclass(frozen=True, eq=False, repr=False)
class Decoder:
    """CoCa's multimodal decoder: blocks that attend to caption and image, and the logits of the vocabulary."""

    config: DecoderConfig
    ln_post: LayerNorm  # the last of the image tower
    blocks: Blocks[DecoderBlock]
    text_projection: Linear

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
        """Read the weights of the decoder."""
        own, vision = config.decoder, config.vision
        assert own is not None
        assert isinstance(vision, VisionTransformerConfig)
        blocks = [partial(DecoderBlock.read, weights, "text_decoder", index, own) for index in range(own.layers)]
        return cls(
            own,
            LayerNorm.read(weights, "visual.ln_post", vision.eps),
            weights.blocks(blocks),
            read_projection(weights, "text_decoder.text_projection", "text_decoder.ln_final"),
        )

    def keys_values(self, tokens: Array) -> list[KeysValues]:
        """Compute each block's keys and values of images, given their tokens: (b, d, n)."""
        b, d, n = tokens.shape
        x = self.ln_post(tokens.transpose(1, 0, 2).reshape(d, b * n))
        x = ops.standardize(x, self.config.eps).reshape(d, b, n)  # each block has a norm of its own for it
        return self.blocks.each(lambda block: block.attn.keys_values(x))

    def extend(self, x: Array, caches: Sequence[KVCache], images: Sequence[KeysValues], mask: Array | None) -> Array:
        """Compute the next tokens of each caption, and append them to the caches: (d, b m) -> the same shape."""
        return self.blocks.run(x, lambda block, x, *state: block.extend(x, *state, mask), caches, images)

    def logits(self, x: Array) -> Array:
        """Compute the logits of the token after each of these: (d, n) -> (n, vocabulary)."""
        return np.ascontiguousarray(self.text_projection(ops.standardize(x, self.config.eps)).T)
