"""Attention pooling of feature maps: the mean of all pixels attends to each of them.

As `AttentionPool2d` in clip/model.py of openai/CLIP, and as in timm/layers/attention_pool2d.py, where positional
embeddings are interpolated, or rotary.
"""

import math
from dataclasses import dataclass

import numpy as np

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.attention import attend, prepare_out_proj
from numpyclip.model.layers import Linear
from numpyclip.model.ops import Array
from numpyclip.model.rope import Rope
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.transformer_config import RopeConfig
from numpyclip.model.vision.position_interpolation import interpolate_positions
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

_REFERENCE = 7  # rows and columns that rotary embeddings are scaled to


@dataclass(frozen=True, eq=False, repr=False)
class AttentionPool:
    """The mean of all pixels attends to each of them, and to itself."""

    positional_embedding: Array | None  # (d, 1 + n n); rotary if there is none
    q_proj: Linear
    k_proj: Array  # (d, d)
    k_bias: Array | None  # without rotary embeddings it would add the same to all scores of a query
    v_proj: Array  # (d, d); its bias is folded into `c_proj`
    c_proj: Linear
    heads: int

    @staticmethod
    def tensors(checkpoint: Checkpoint, name: str, d: int, embed_dim: int, positions: int) -> expected.Tensors:
        """List the tensors under a name; `positions` is 0 where they are rotary."""
        if positions:
            yield f"{name}.positional_embedding", (positions + 1, d)
        if f"{name}.in_proj_weight" in checkpoint:
            yield f"{name}.in_proj_weight", (3 * d, d)
            yield f"{name}.in_proj_bias", (3 * d,)
        else:
            for part in ("q_proj", "k_proj", "v_proj"):
                yield from expected.linear(f"{name}.{part}", d, d)
        yield from expected.linear(f"{name}.c_proj", d, embed_dim)

    @classmethod
    def read(cls, weights: WeightReader, name: str, heads: int) -> "AttentionPool":
        """Read the weights under a name of the checkpoint."""
        is_rotary = f"{name}.positional_embedding" not in weights.checkpoint

        def prepare(checkpoint: Checkpoint) -> tuple[Array, ...]:
            q_weight, k_weight, v_weight = _queries_keys_values(checkpoint, name, "weight")
            q_bias, k_bias, v_bias = _queries_keys_values(checkpoint, name, "bias")
            scale = np.float32(1 / math.sqrt(len(q_bias) // heads))
            q_weight *= scale
            q_bias *= scale
            c_proj = prepare_out_proj(checkpoint, f"{name}.c_proj", v_bias)
            first = k_bias if is_rotary else np.ascontiguousarray(checkpoint.take(f"{name}.positional_embedding").T)
            return first, q_weight, q_bias, k_weight, v_weight, *c_proj

        first, q_weight, q_bias, k_weight, v_weight, c_weight, c_bias = weights.derive(name, prepare)
        positions, k_bias = (None, first) if is_rotary else (first, None)
        q_proj, c_proj = Linear(q_weight, q_bias), Linear(c_weight, c_bias)
        return cls(positions, q_proj, k_weight, k_bias, v_weight, c_proj, heads)

    def __call__(self, x: Array) -> Array:  # (d, y, x, b) -> (e, b)
        d, rows, columns, b = x.shape
        pixels = x.reshape(d, -1, b).swapaxes(1, 2)  # (d, b, n - 1)
        tokens = np.concatenate([pixels.mean(axis=2, keepdims=True), pixels], axis=2)
        if self.positional_embedding is None:
            return self.c_proj(self._attend_rotated(tokens, rows, columns))
        tokens += self.positions(self.positional_embedding, rows, columns)[:, np.newaxis]
        by_head = (self.heads, d // self.heads, -1)
        query = self.q_proj(np.ascontiguousarray(tokens[:, :, 0])).reshape(by_head)
        absorbed = query.swapaxes(1, 2) @ self.k_proj.reshape(by_head)  # (h, b, k) (h, k, d)
        return self.c_proj(attend(absorbed, self.v_proj.reshape(by_head), tokens.reshape(d, -1), TokenLayout(b)))

    @staticmethod
    def positions(embedding: Array, rows: int, columns: int) -> Array:
        """Interpolate positions for a map of this shape: (d, 1 + n n) -> (d, 1 + rows columns)."""
        patches = interpolate_positions(embedding[:, 1:], rows, columns, "bicubic")
        return np.concatenate([embedding[:, :1], patches], axis=1)

    def rope(self, rows: int, columns: int) -> Rope:
        """Rotate the keys of a map of this shape."""
        return Rope.make(RopeConfig(side=(rows, columns), reference=_REFERENCE), len(self.k_proj) // self.heads)

    def _attend_rotated(self, tokens: Array, rows: int, columns: int) -> Array:  # (d, b, n) -> (d, b)
        d, b, _ = tokens.shape
        by_head = (self.heads, d // self.heads, b, -1)
        query = self.q_proj(np.ascontiguousarray(tokens[:, :, :1])).reshape(by_head)
        keys = ops.linear(tokens, self.k_proj, self.k_bias).reshape(by_head)
        values = ops.linear(tokens, self.v_proj).reshape(by_head)
        self.rope(rows, columns)(keys)
        mixed: Array = ops.attention(query, keys, values).reshape(d, b)
        return mixed


def _queries_keys_values(checkpoint: Checkpoint, name: str, field: str) -> list[Array]:
    """Take the weights or biases of queries, which are a copy, keys and values."""
    joined = f"{name}.in_proj_{field}"
    if joined in checkpoint:
        return np.split(checkpoint.copy(joined), 3)
    q, k, v = (f"{name}.{part}_proj.{field}" for part in "qkv")
    return [checkpoint.copy(q), checkpoint.take(k), checkpoint.take(v)]
