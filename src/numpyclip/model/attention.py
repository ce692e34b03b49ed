"""Self-attention (Vaswani et al., 2017) over tokens in columns."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import ops
from numpyclip.model.config import Biased, TransformerConfig
from numpyclip.model.kv_cache import KVCache
from numpyclip.model.layers import Linear, fold_norm, fold_scale
from numpyclip.model.ops import Array
from numpyclip.model.rope import Rope
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


def in_proj_names(checkpoint: Checkpoint, name: str, biased: Biased = "qkv") -> tuple[dict[str, str], dict[str, str]]:
    """Name the weights that make queries, keys and values, and their biases, each with the letters of what it makes.

    openai/CLIP has one matrix for all, other libraries have two, or three.
    """
    if f"{name}.in_proj_weight" in checkpoint:
        weights, biases = {f"{name}.in_proj_weight": "qkv"}, {f"{name}.in_proj_bias": "qkv"}
    else:
        parts = ("q", "kv") if f"{name}.kv_proj.weight" in checkpoint else ("q", "k", "v")
        weights, biases = ({f"{name}.{part}_proj.{field}": part for part in parts} for field in ("weight", "bias"))
    return weights, biases if biased == "qkv" else {f"{name}.{part}_proj.bias": part for part in biased}


def join_in_proj(checkpoint: Checkpoint, name: str, biased: Biased = "qkv") -> tuple[Array, Array]:
    """Copy the matrix (3 d, d) that makes queries, keys and values, and its bias, 0 where there is none."""
    weights, biases = in_proj_names(checkpoint, name, biased)
    weight = np.concatenate(list(map(checkpoint.take, weights))) if len(weights) > 1 else checkpoint.copy(*weights)
    bias = np.zeros((3, weight.shape[1]), np.float32)
    for part, letters in biases.items():
        first = "qkv".index(letters)
        bias[first : first + len(letters)].reshape(-1)[:] = checkpoint.take(part)
    return weight, bias.reshape(-1)


def prepare_out_proj(
    checkpoint: Checkpoint, name: str, value_bias: Array | None, *, norm: str | None = None, scale: str | None = None
) -> tuple[Array, Array]:
    """Take the layer behind an attention, with the bias of the values, or the norm, before it and the scale behind."""
    weight = (checkpoint.copy if norm or scale else checkpoint.take)(f"{name}.weight")
    bias = checkpoint.copy(f"{name}.bias")
    if value_bias is not None:
        bias += weight @ value_bias
    if norm is not None:
        fold_norm(checkpoint, norm, weight, bias)
    if scale is not None:
        fold_scale(checkpoint, scale, weight, bias)
    return weight, bias


@dataclass(frozen=True, eq=False, repr=False)
class Attention:
    """Self-attention: one matrix makes queries, keys and values, another mixes the heads.

    Mostly only queries keep their bias. That of the keys adds the same to all scores of a query, which softmax does
    not see, unless keys are turned by their places; that of the values passes through the mixture, whose weights sum
    to 1, into the bias of `out_proj`, unless there is a norm on the way.
    """

    in_proj: Array  # (3 d, d)
    bias: Array  # (d,) of the queries, or (2 d,) with that of the keys, or (3 d,)
    out_proj: Linear
    heads: int
    rope: Rope | None = None
    inner_eps: float | None = None  # of the norm before `out_proj`

    @classmethod
    def read(
        cls, weights: WeightReader, block: str, config: TransformerConfig, rope: Rope | None = None
    ) -> "Attention":
        """Take the weights of a block's attention from the checkpoint, the norm before and the scale behind it."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array, Array, Array]:
            weight, bias = join_in_proj(checkpoint, f"{block}.attn", config.biased)
            if not config.post_norm:
                fold_norm(checkpoint, f"{block}.ln_1", weight, bias)
            d = weight.shape[1]
            scale = np.float32(1 / math.sqrt(d // config.heads))
            weight[:d] *= scale
            bias[:d] *= scale
            behind = f"{block}.ls_1.gamma" if config.layer_scale else None
            inner = f"{block}.attn.ln_inner" if config.sub_norm else None
            value_bias = None if config.sub_norm else bias[2 * d :]
            out_proj = prepare_out_proj(checkpoint, f"{block}.attn.out_proj", value_bias, norm=inner, scale=behind)
            kept = 3 if config.sub_norm else 2 if rope else 1
            return weight, bias[: kept * d].copy(), *out_proj

        in_weight, bias, out_weight, out_bias = weights.derive(f"{block}.attn", prepare)
        inner_eps = config.eps if config.sub_norm else None
        return cls(in_weight, bias, Linear(out_weight, out_bias), config.heads, rope, inner_eps)

    def __call__(self, x: Array, batch: int, shared: int, mask: Array | None) -> Array:
        """Mix tokens: (d, shared + batch n) -> the same shape. The mask is (n, n), or (batch, n, n)."""
        return self._project(self._mix(x, batch, shared, mask))

    def extend(self, x: Array, cache: KVCache, mask: Array | None) -> Array:
        """Mix into the next tokens of each input those before them: (d, b m) -> the same shape."""
        parts = self._queries_keys_values(x)
        q, k, v = parts.reshape(*parts.shape[:3], cache.batch, -1)
        return self._project(ops.attention(q, *cache.append(k, v), mask).reshape(x.shape))

    def _queries_keys_values(self, x: Array) -> Array:  # (d, n) -> (3, h, k, n)
        qkv = self.in_proj @ x
        qkv[: len(self.bias)] += self.bias[:, np.newaxis]
        return qkv.reshape(3, self.heads, len(x) // self.heads, -1)

    def _mix(self, x: Array, batch: int, shared: int, mask: Array | None) -> Array:
        parts = self._queries_keys_values(x)  # (3, h, k, shared + batch n)
        q, k, v = parts[..., shared:].reshape(*parts.shape[:3], batch, -1)
        if self.rope is not None:
            self.rope(q)
            self.rope(k)
        if not shared:
            return ops.attention(q, k, v, mask).reshape(x.shape)
        assert mask is not None
        first = parts[:, :, :, np.newaxis, :shared]  # all inputs begin with these tokens, which see no others
        of_first = mask.reshape(-1, *mask.shape[-2:])[0, :shared, :shared]
        mixed = (
            ops.attention(first[0], first[1], first[2], of_first),
            ops.attention(q, k, v, mask[..., shared:, :], (first[1, :, :, 0], first[2, :, :, 0])),
        )
        return np.concatenate([part.reshape(len(x), -1) for part in mixed], axis=1)

    def _project(self, mixed: Array) -> Array:  # (d, n) -> (d, n)
        if self.inner_eps is not None:
            mixed = ops.standardize(mixed, self.inner_eps)
        return self.out_proj(mixed)

    def one(self, x: Array, rows: NDArray[np.integer], shared: int, mask: Array | None) -> Array:
        """Mix into one token of each input: (d, shared + batch n), (batch,) -> (d, batch)."""
        d = len(x)
        if len(self.bias) > d:  # keys or values are more than a matrix times the tokens
            return self._project(pick(self._mix(x, len(rows), shared, mask), rows, shared))
        q, k, v = self.in_proj.reshape(3, d, d)
        query = ops.linear(pick(x, rows, shared), q, self.bias)
        by_head = (self.heads, d // self.heads, -1)
        if mask is not None:
            every = np.broadcast_to(mask, (len(rows), *mask.shape[-2:]))
            mask = every[np.arange(len(rows)), shared + rows][:, np.newaxis]  # (b, 1, shared + n)
        mixed = ops.attention_of_one(query.reshape(by_head), x, k.reshape(by_head), v.reshape(by_head), mask, shared)
        return self._project(mixed.reshape(d, -1))


def pick(x: Array, rows: NDArray[np.integer], shared: int) -> Array:
    """Take one token of each input: (d, shared + batch n), (batch,) -> (d, batch)."""
    n = (x.shape[1] - shared) // len(rows)
    return x[:, shared + np.arange(len(rows)) * n + rows]
