"""Attentional pooling: SigLIP's (Zhai et al., 2022), and CoCa's (Yu et al., 2022) as in open_clip/transformer.py."""

import math
from dataclasses import dataclass

import numpy as np

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.attention import attend, join_in_proj, prepare_out_proj
from numpyclip.model.layers import Linear, fold_norm
from numpyclip.model.ops import Array
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.transformer import MLP
from numpyclip.model.transformer_config import EPS, TransformerConfig
from numpyclip.model.vision.vision_config import VisionTransformerConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class MapPool:
    """Multi-head attention pooling (Zhai et al., 2022): a learned query attends to all tokens, followed by an MLP.

    The query is the same for every image, so it is multiplied with the matrix of keys at load time.
    """

    absorbed: Array  # (h, 1, d): see `attend`
    values: Array  # (h, k, d)
    out_proj: Linear
    mlp: MLP
    eps: float
    residual: bool  # the MLP's output is added to its input

    @staticmethod
    def tensors(checkpoint: Checkpoint, name: str, config: VisionTransformerConfig) -> expected.Tensors:
        """List the tensors under a name."""
        yield f"{name}.probe", (1, 1, config.width)
        yield from expected.attention(checkpoint, f"{name}.attn", config.width)
        yield from expected.norm(f"{name}.ln_2", config.width)
        yield from expected.mlp(f"{name}.mlp", _as_block(config))

    @classmethod
    def read(cls, weights: WeightReader, name: str, norm: str | None, config: VisionTransformerConfig) -> "MapPool":
        """Read the weights under a name of the checkpoint; fold in the norm before, if there is one."""
        block = _as_block(config)
        h = block.heads

        def prepare(checkpoint: Checkpoint) -> tuple[Array, ...]:
            weight, bias = join_in_proj(checkpoint, f"{name}.attn")
            d = len(bias) // 3
            query: Array = weight[:d] @ checkpoint.take(f"{name}.probe").reshape(d) + bias[:d]
            query *= np.float32(1 / math.sqrt(d // h))
            if norm is not None:
                fold_norm(checkpoint, norm, weight, bias)
            keys, values = weight[d:].reshape(2, h, -1, d)
            absorbed: Array = query.reshape(h, 1, -1) @ keys
            return absorbed, values, *prepare_out_proj(checkpoint, f"{name}.attn.out_proj", bias[2 * d :])

        absorbed, values, out_weight, out_bias = weights.derive(name, prepare)
        mlp = MLP.read(weights, name, block)
        return cls(absorbed, values, Linear(out_weight, out_bias), mlp, config.eps, config.pool.kind == "map")

    def __call__(self, x: Array, batch: int) -> Array:  # (d, b n), standardized if there is a norm before -> (d, b)
        absorbed = np.broadcast_to(self.absorbed, (len(self.absorbed), batch, len(x)))
        y = self.out_proj(attend(absorbed, self.values, x, TokenLayout(batch)))
        of_mlp = self.mlp(ops.standardize(y, self.eps))
        if self.residual:
            of_mlp += y
        return of_mlp


def _as_block(config: VisionTransformerConfig) -> TransformerConfig:
    return TransformerConfig(
        width=config.width,
        layers=1,
        heads=config.pool.heads or config.heads,
        mlp_width=config.pool.mlp_width or config.mlp_width,
        activation=config.activation,
        gated=config.gated and config.pool.kind == "tok_map",
        gate=config.gate,
    )


@dataclass(frozen=True, eq=False, repr=False)
class AttentionalPool:
    """Learned queries attend to all tokens: the first one's result embeds the image, the others' go to the decoder.

    The queries are the same for every image, so they are computed at load time; the first one, which is mostly used
    alone, is multiplied with the matrix of keys, too. The norms' epsilon is `EPS`, whatever the tower's.
    """

    absorbed: Array  # (h, 1, d), of the first query: see `attend`
    queries: Array  # (h, k, n - 1), the others
    keys: Array  # (h, k, d)
    values: Array  # (h, k, d)
    out_proj: Linear

    @staticmethod
    def tensors(checkpoint: Checkpoint, name: str, config: VisionTransformerConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors under a name."""
        yield f"{name}.query", (config.pool.queries, embed_dim)
        yield from expected.norm(f"{name}.ln_q", embed_dim)
        yield from expected.norm(f"{name}.ln_k", config.width)
        if f"{name}.attn.in_proj_weight" in checkpoint:  # PyTorch joins the three if both widths are the same
            yield f"{name}.attn.in_proj_weight", (3 * embed_dim, config.width)
        else:
            yield f"{name}.attn.q_proj_weight", (embed_dim, embed_dim)
            yield f"{name}.attn.k_proj_weight", (embed_dim, config.width)
            yield f"{name}.attn.v_proj_weight", (embed_dim, config.width)
        yield f"{name}.attn.in_proj_bias", (3 * embed_dim,)
        yield from expected.linear(f"{name}.attn.out_proj", embed_dim, embed_dim)

    @classmethod
    def read(cls, weights: WeightReader, name: str, config: VisionTransformerConfig) -> "AttentionalPool":
        """Read the weights under a name of the checkpoint; fold in the norms before."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, ...]:
            q, k, v = _weights(checkpoint, f"{name}.attn")
            query_bias, _, value_bias = checkpoint.take(f"{name}.attn.in_proj_bias").reshape(3, -1)
            query = ops.standardize(checkpoint.take(f"{name}.query").T, EPS)  # (e, n)
            query = query * checkpoint.take(f"{name}.ln_q.weight")[:, np.newaxis]
            query += checkpoint.take(f"{name}.ln_q.bias")[:, np.newaxis]
            heads = config.pool.heads or config.heads
            queries = ops.linear(query, q, query_bias).reshape(heads, -1, config.pool.queries)
            queries *= np.float32(1 / math.sqrt(queries.shape[1]))
            # the norm's shift, times k, adds the same to all scores of a query, so softmax ignores it
            scale, shift = checkpoint.take(f"{name}.ln_k.weight"), checkpoint.take(f"{name}.ln_k.bias")
            keys = (k * scale).reshape(*queries.shape[:2], -1)
            values = (v * scale).reshape(keys.shape)
            absorbed = queries[:, :, :1].swapaxes(1, 2) @ keys  # (h, 1, k) (h, k, d)
            out_proj = prepare_out_proj(checkpoint, f"{name}.attn.out_proj", value_bias + v @ shift)
            return absorbed, np.ascontiguousarray(queries[:, :, 1:]), keys, values, *out_proj

        absorbed, queries, keys, values, out_weight, out_bias = weights.derive(name, prepare)
        return cls(absorbed, queries, keys, values, Linear(out_weight, out_bias))

    def __call__(self, x: Array, batch: int) -> Array:
        """Compute the result of the first query: (d, b n) -> (e, b)."""
        absorbed = np.broadcast_to(self.absorbed, (len(self.absorbed), batch, len(x)))
        return self.out_proj(attend(absorbed, self.values, ops.standardize(x, EPS), TokenLayout(batch)))

    def others(self, x: Array, batch: int) -> Array:
        """Compute the results of the other queries: (d, b n) -> (e, b, queries - 1)."""
        h, width, n = self.queries.shape
        x = ops.standardize(x, EPS)
        k, v = (ops.linear(x, part.reshape(h * width, -1)) for part in (self.keys, self.values))
        q = np.broadcast_to(self.queries[:, :, np.newaxis], (h, width, batch, n))
        by_head = (h, width, batch, -1)
        return self.out_proj(ops.attention(q, k.reshape(by_head), v.reshape(by_head)).reshape(h * width, batch, n))


def _weights(checkpoint: Checkpoint, name: str) -> list[Array]:  # of queries, keys and values
    if f"{name}.in_proj_weight" in checkpoint:
        return np.split(checkpoint.take(f"{name}.in_proj_weight"), 3)
    return [checkpoint.take(f"{name}.{letter}_proj_weight") for letter in "qkv"]
