"""The encoder of T5 1.1 (Raffel et al., 2020), as `MT5Stack` in transformers' models/mt5/modeling_mt5.py.

Norms do not center and have no shift, layers have no biases, scores are not divided by the root of the heads' width,
and each head adds a number to them that depends on the distance of two tokens. Tensors have the names of a text
transformer's, and are at the root of the checkpoint, too.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model.attention import Attention
from numpyclip.model.layers import Linear
from numpyclip.model.ops import Array
from numpyclip.model.rope import Rope, TextRope
from numpyclip.model.text.bidirectional import Encoder, head_tensors, read_head
from numpyclip.model.text.encoder_configs import T5Config
from numpyclip.model.transformer import MLP, Block, Transformer
from numpyclip.model.transformer_config import TransformerConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

_IN = tuple(f"attn.{part}_proj" for part in "qkv")
_GATE = ("mlp.c_gate", "mlp.c_fc")


class T5Block(Block):
    """A residual block whose norms do not center."""

    @classmethod
    def read(
        cls, weights: WeightReader, name: str, config: TransformerConfig, rope: Rope | TextRope | None = None
    ) -> "T5Block":
        """Read the weights under a name of the checkpoint."""
        in_proj = _read_joined(weights, name, _IN, "ln_1")
        no_bias = in_proj.bias[: len(in_proj.bias) // 3]
        attn = Attention(in_proj.weight, no_bias, _read_joined(weights, name, ("attn.out_proj",)), config.heads)
        c_fc, c_proj = _read_joined(weights, name, _GATE, "ln_2"), _read_joined(weights, name, ("mlp.c_proj",))
        return cls(attn, MLP(c_fc, c_proj, config.activation, "gelu_tanh"), config.eps)

    def _norm(self, x: Array) -> Array:
        return _normalize(x, self.eps)


@dataclass(frozen=True, eq=False, repr=False)
class T5(Encoder):
    """The encoder of a T5."""

    config: T5Config
    relative_attention_bias: Array  # (buckets, h)
    ln_final: Array  # (d,)

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: T5Config, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower."""
        d, inner, mlp = config.width, config.heads * config.head_width, config.mlp_width
        yield "token_embedding.weight", (config.vocab_size, d)
        yield "relative_attention_bias", (config.buckets, config.heads)
        for i in range(config.layers):
            name = f"transformer.resblocks.{i}"
            yield from ((f"{name}.{part}.weight", (inner, d)) for part in _IN)
            yield f"{name}.attn.out_proj.weight", (d, inner)
            yield from ((f"{name}.{part}.weight", (mlp, d)) for part in _GATE)
            yield f"{name}.mlp.c_proj.weight", (d, mlp)
            yield from ((f"{name}.{norm}.weight", (d,)) for norm in ("ln_1", "ln_2"))
        yield "ln_final.weight", (d,)
        yield from head_tensors(checkpoint, config, embed_dim)

    @classmethod
    def read(cls, weights: WeightReader, config: T5Config) -> "T5":
        """Read the weights of this tower."""
        (embedding,) = weights.derive("embedding", lambda at: (at.table("token_embedding.weight"),))
        tables = weights.derive("tables", lambda at: (at.take("relative_attention_bias"), at.take("ln_final.weight")))
        transformer = Transformer.read(weights, "transformer", config, T5Block)
        return cls(config, embedding, transformer, read_head(weights, config), *tables)

    def _enter(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (d, b n)
        x = self.token_embedding[ids].astype(np.float32).reshape(ids.size, -1).T
        return np.ascontiguousarray(x)

    def _bias(self, n: int) -> Array:
        bias = self.relative_attention_bias[buckets(n, self.config)]  # (n, n, h)
        return np.ascontiguousarray(bias.transpose(2, 0, 1))[:, np.newaxis]

    def _norm(self, x: Array) -> Array:
        return _normalize(x, self.config.eps) * self.ln_final[:, np.newaxis]


def buckets(n: int, config: T5Config) -> NDArray[np.integer]:
    """Return the bucket of each token's distance to each other: (n, n), queries first.

    Half of the buckets are for tokens that come later. Of each half, half are for one distance each, and the others
    grow in proportion to it.
    """
    half = config.buckets // 2
    exact = half // 2
    later = np.arange(n) - np.arange(n)[:, np.newaxis]
    distance = np.abs(later)
    growing = np.log(np.maximum(distance, 1).astype(np.float32) / np.float32(exact))
    growing /= np.float32(math.log(config.max_distance / exact))
    growing *= np.float32(half - exact)
    far = np.minimum(exact + growing.astype(int), half - 1)
    bucket: NDArray[np.integer] = np.where(distance < exact, distance, far) + half * (later > 0)
    return bucket


def _normalize(x: Array, eps: float) -> Array:
    """Give every column a mean square of 1: (d, n) -> (d, n)."""
    square = np.einsum("dn,dn->n", x, x) / np.float32(len(x))
    y: Array = x * (np.float32(1) / np.sqrt(square + np.float32(eps)))
    return y


def _read_joined(weights: WeightReader, block: str, parts: tuple[str, ...], norm: str | None = None) -> Linear:
    """Read layers without biases as one; fold in the scale of the norm before."""

    def prepare(checkpoint: Checkpoint) -> tuple[Array]:
        weight = checkpoint.join([f"{block}.{part}.weight" for part in parts])
        if norm is not None:
            weight *= checkpoint.take(f"{block}.{norm}.weight")
        return (weight,)

    (weight,) = weights.derive(f"{block}.{parts[0]}", prepare)
    return Linear(weight, np.zeros(len(weight), np.float32))
