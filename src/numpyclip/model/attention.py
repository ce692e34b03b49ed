"""Self-attention (Vaswani et al., 2017) over tokens in columns."""

import math
from dataclasses import dataclass

import numpy as np

from numpyclip.model import ops
from numpyclip.model.kv_cache import KVCache
from numpyclip.model.layers import Linear, fold_norm, fold_scale
from numpyclip.model.ops import Array
from numpyclip.model.rope import Rope, TextRope
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.transformer_config import Biased, TransformerConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


def in_proj_names(checkpoint: Checkpoint, name: str, biased: Biased = "qkv") -> tuple[dict[str, str], dict[str, str]]:
    """Name the weights and the biases of queries, keys and values, each with the letters of what it makes.

    openai/CLIP has one matrix for all three; other libraries have two or three.
    """
    if f"{name}.in_proj_weight" in checkpoint:
        weights, biases = {f"{name}.in_proj_weight": "qkv"}, {f"{name}.in_proj_bias": "qkv"}
    else:
        parts = ("q", "kv") if f"{name}.kv_proj.weight" in checkpoint else ("q", "k", "v")
        weights, biases = ({f"{name}.{part}_proj.{field}": part for part in parts} for field in ("weight", "bias"))
    return weights, biases if biased == "qkv" else {f"{name}.{part}_proj.bias": part for part in biased}


def join_in_proj(checkpoint: Checkpoint, name: str, biased: Biased = "qkv") -> tuple[Array, Array]:
    """Copy the matrix (3 h k, d) of queries, keys and values, and its bias, 0 where there is none; mostly h k is d."""
    weights, biases = in_proj_names(checkpoint, name, biased)
    weight = checkpoint.join(list(weights))
    bias = np.zeros((3, len(weight) // 3), np.float32)
    for part, letters in biases.items():
        first = "qkv".index(letters)
        bias[first : first + len(letters)].reshape(-1)[:] = checkpoint.take(part)
    return weight, bias.reshape(-1)


def prepare_out_proj(
    checkpoint: Checkpoint, name: str, value_bias: Array | None, *, norm: str | None = None, scale: str | None = None
) -> tuple[Array, Array]:
    """Take the layer after an attention; fold in the bias of the values, the norm before and the scale after it."""
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
    """Multi-head self-attention: one matrix makes queries, keys and values, another mixes the heads.

    Mostly only queries keep their bias. The keys' bias adds the same to all scores of a query, so softmax ignores it,
    unless there are rotary embeddings; the values' bias passes through the mixture, whose weights sum to 1, into the
    bias of `out_proj`, unless there is a norm between.
    """

    in_proj: Array  # (3 h k, d), where heads may be wider or narrower together than the tokens
    bias: Array  # (h k,) of the queries, or (2 h k,) with that of the keys, or (3 h k,)
    out_proj: Linear
    heads: int
    rope: Rope | TextRope | None = None
    inner_eps: float | None = None  # of the norm before `out_proj`

    @classmethod
    def read(
        cls, weights: WeightReader, block: str, config: TransformerConfig, rope: Rope | TextRope | None = None
    ) -> "Attention":
        """Read the weights of a block's attention; fold in the norm before and the scale after it."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, ...]:
            weight, bias = join_in_proj(checkpoint, f"{block}.attn", config.biased)
            if not config.post_norm:
                fold_norm(checkpoint, f"{block}.ln_1", weight, bias)
            d = len(weight) // 3
            scale = np.float32(1 / math.sqrt(d // config.heads))
            weight[:d] *= scale
            bias[:d] *= scale
            out_proj = prepare_out_proj(
                checkpoint,
                f"{block}.attn.out_proj",
                None if config.sub_norm else bias[2 * d :],
                norm=f"{block}.attn.ln_inner" if config.sub_norm else None,
                scale=f"{block}.ls_1.gamma" if config.layer_scale else None,
            )
            kept = 3 if config.sub_norm else 2 if rope else 1
            return weight, bias[: kept * d].copy(), *out_proj

        in_weight, bias, out_weight, out_bias = weights.derive(f"{block}.attn", prepare)
        inner_eps = config.eps if config.sub_norm else None
        return cls(in_weight, bias, Linear(out_weight, out_bias), config.heads, rope, inner_eps)

    def __call__(self, x: Array, layout: TokenLayout) -> Array:
        """Mix tokens: (d, shared + batch n) -> the same shape."""
        return self._project(self._mix(x, layout))

    def pooled(self, x: Array, layout: TokenLayout) -> Array:
        """Mix into the pooled token of each input only: (d, shared + batch n) -> (d, batch)."""
        d = len(self.in_proj) // 3
        if len(self.bias) > d:  # keys or values are more than a matrix times the tokens
            return self._project(layout.pick(self._mix(x, layout)))
        q, k, v = self.in_proj.reshape(3, d, -1)
        by_head = (self.heads, d // self.heads, -1)
        query = ops.linear(layout.pick(x), q, self.bias).reshape(by_head)
        absorbed = query.swapaxes(1, 2) @ k.reshape(by_head)  # (h, b, k) (h, k, d)
        return self._project(attend(absorbed, v.reshape(by_head), x, layout))

    def extend(self, x: Array, cache: KVCache, mask: Array | None) -> Array:
        """Mix the earlier tokens of each input into the next ones: (d, b m) -> the same shape."""
        parts = self._queries_keys_values(x)
        q, k, v = parts.reshape(*parts.shape[:3], cache.batch, -1)
        return self._project(ops.attention(q, *cache.append(k, v), mask).reshape(-1, x.shape[1]))

    def probabilities(self, x: Array, layout: TokenLayout) -> Array:
        """Compute how much each token attends to each, if no prefix is shared: (d, batch n) -> (batch, h, n, n)."""
        _, (q, k, _) = layout.split(self._queries_keys_values(x))  # (h, k, batch, n)
        if self.rope is not None:
            self.rope(q)
            self.rope(k)
        scores = q.transpose(0, 2, 3, 1) @ k.transpose(0, 2, 1, 3)
        if layout.mask is not None:
            scores += layout.mask
        weights: Array = ops.softmax(scores).swapaxes(0, 1)
        return weights

    def _queries_keys_values(self, x: Array) -> Array:  # (d, n) -> (3, h, k, n)
        qkv = self.in_proj @ x
        qkv[: len(self.bias)] += self.bias[:, np.newaxis]
        return qkv.reshape(3, self.heads, len(qkv) // (3 * self.heads), -1)

    def _mix(self, x: Array, layout: TokenLayout) -> Array:
        shared, (q, k, v) = layout.split(self._queries_keys_values(x))  # (3, h, k, shared), (3, h, k, batch, n)
        if self.rope is not None:
            self.rope(q)
            self.rope(k)
        mask, s = layout.mask, layout.shared
        if not s:
            return ops.attention(q, k, v, mask).reshape(-1, x.shape[1])
        assert mask is not None
        mask_of_shared = mask.reshape(-1, *mask.shape[-2:])[0, :s, :s]
        first = shared[:, :, :, np.newaxis]  # (3, h, k, 1, shared)
        mixed = (
            ops.attention(first[0], first[1], first[2], mask_of_shared),
            ops.attention(q, k, v, mask[..., s:, :], (shared[1], shared[2])),
        )
        return np.concatenate([part.reshape(len(self.in_proj) // 3, -1) for part in mixed], axis=1)

    def _project(self, mixed: Array) -> Array:  # (d, n) -> (d, n)
        if self.inner_eps is not None:
            mixed = ops.standardize(mixed, self.inner_eps)
        return self.out_proj(mixed)


def attend(absorbed: Array, values: Array, x: Array, layout: TokenLayout) -> Array:
    """Let one query of each input attend to all its tokens: (h, b, d), (h, k, d), (d, shared + b n) -> (h k, b).

    q · (K x) is (Kᵀ q) · x, and the values of a mixture are the mixture of the values. So the matrix of keys is
    `absorbed` by the query, and that of `values` multiplies the mixture, instead of all tokens.
    """
    h, b, _ = absorbed.shape
    shared, own = layout.split(x)
    s = layout.shared
    scores = np.empty((b, h, s + own.shape[-1]), np.float32)
    np.matmul(absorbed.swapaxes(0, 1), own.swapaxes(0, 1), out=scores[..., s:])  # (b, h, d) (b, d, n)
    scores[..., :s] = (absorbed @ shared).swapaxes(0, 1)
    mask = layout.mask_of_pooled()
    if mask is not None:
        scores += mask
    scores = ops.softmax(scores)
    mixture = scores[..., s:] @ own.transpose(1, 2, 0)  # (b, h, n) (b, n, d) -> (b, h, d)
    mixture += scores[..., :s] @ shared.T
    mixed: Array = values @ mixture.transpose(1, 2, 0)  # (h, k, d) (h, d, b)
    return mixed.reshape(-1, b)
