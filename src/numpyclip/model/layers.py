"""Records of weights that can be called, prepared for speed when they are read from a checkpoint.

What can be multiplied out beforehand is: the scale and shift of a norm into the product behind it, the root of the
head's width into the queries, and biases where they come for free. Names are those of the checkpoint.

Records are compared by identity and printed by name: neither is of use for arrays of millions of numbers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import overload

import numpy as np
from numpy.typing import NDArray

from numpyclip.image import Preprocess
from numpyclip.model import ops
from numpyclip.model.config import TransformerConfig
from numpyclip.model.ops import Array
from numpyclip.model.source import Source
from numpyclip.weights.checkpoint import Activation, Checkpoint

_ACTIVATIONS: dict[Activation, Callable[[Array], Array]] = {
    "quick_gelu": ops.quick_gelu,
    "gelu": ops.gelu,
    "gelu_tanh": ops.gelu_tanh,
}


@dataclass(frozen=True, eq=False, repr=False)
class Linear:
    """A matrix (e, d) and a bias (e,)."""

    weight: Array
    bias: Array

    @classmethod
    def read(cls, source: Source, name: str, norm: str | None = None, scale: str | None = None) -> "Linear":
        """Take the weights under a name of the checkpoint, and into them the norm before and the scale behind."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
            if norm is None and scale is None:
                return checkpoint.take(f"{name}.weight"), checkpoint.take(f"{name}.bias")
            weight, bias = checkpoint.copy(f"{name}.weight"), checkpoint.copy(f"{name}.bias")
            if norm is not None:
                fold_norm(checkpoint, norm, weight, bias)
            if scale is not None:
                fold_scale(checkpoint, scale, weight, bias)
            return weight, bias

        return cls(*source.derive(name, prepare))

    def __call__(self, x: Array) -> Array:  # (d, ...) -> (e, ...)
        return ops.linear(x, self.weight, self.bias)


def fold_norm(checkpoint: Checkpoint, norm: str, weight: Array, bias: Array) -> None:
    """Make W x + b of W (scale x + shift) + b, in place."""
    bias += weight @ checkpoint.take(f"{norm}.bias")
    weight *= checkpoint.take(f"{norm}.weight")


def fold_scale(checkpoint: Checkpoint, scale: str, weight: Array, bias: Array) -> None:
    """Make scale (W x + b) of W x + b, in place."""
    weight *= checkpoint.take(scale)[:, np.newaxis]
    bias *= checkpoint.take(scale)


def fold_pixels(preprocess: Preprocess, weight: Array) -> Array:
    """Make W x + b, of normalised pixels x, take pixels of 0..255: scale W (e, 3, p, p) in place, return a part of b.

    W (x / 255 - mean) / std is (W / 255 std) x - W mean / std.
    """
    mean, std = np.array(preprocess.mean, np.float32), np.array(preprocess.std, np.float32)
    bias: Array = -(weight.sum(axis=(2, 3)) @ (mean / std))
    weight /= (np.float32(255) * std).reshape(3, 1, 1)
    return bias


@dataclass(frozen=True, eq=False, repr=False)
class Affine:
    """A scale and a shift (d,)."""

    weight: Array
    bias: Array

    @classmethod
    def read(cls, source: Source, name: str) -> "Affine":
        """Take the weights under a name of the checkpoint."""
        return cls(*source.derive(name, lambda at: (at.take(f"{name}.weight"), at.take(f"{name}.bias"))))

    def __call__(self, x: Array) -> Array:  # (d, n) -> (d, n), in place
        x *= self.weight[:, np.newaxis]
        x += self.bias[:, np.newaxis]
        return x


@dataclass(frozen=True, eq=False, repr=False)
class LayerNorm:
    """A layer norm (Ba et al., 2016)."""

    affine: Affine
    eps: float

    @classmethod
    def read(cls, source: Source, name: str, eps: float) -> "LayerNorm":
        """Take the weights under a name of the checkpoint."""
        return cls(Affine.read(source, name), eps)

    def __call__(self, x: Array) -> Array:  # (d, n) -> (d, n)
        return self.affine(ops.standardize(x, self.eps))


@overload
def read_end(source: Source, projection: str, norm: str | None) -> Linear: ...
@overload
def read_end(source: Source, projection: str | None, norm: str) -> Linear | Affine: ...
@overload
def read_end(source: Source, projection: str | None, norm: None) -> Linear | None: ...
def read_end(source: Source, projection: str | None, norm: str | None) -> Linear | Affine | None:
    """Take what stands at a tower's end: a norm but for its standardizing, and a matrix, or one of them.

    The matrix is (d, e) and has no bias in openai/CLIP; elsewhere it may be a layer's, whose weight is (e, d).
    """
    if projection is None:
        return None if norm is None else Affine.read(source, norm)

    def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
        if projection in checkpoint:
            weight = np.ascontiguousarray(checkpoint.take(projection).T)
        else:
            weight = checkpoint.copy(f"{projection}.weight")
        has_bias = f"{projection}.bias" in checkpoint
        bias = checkpoint.copy(f"{projection}.bias") if has_bias else np.zeros(len(weight), np.float32)
        if norm is not None:
            fold_norm(checkpoint, norm, weight, bias)
        return weight, bias

    return Linear(*source.derive(projection, prepare))


def in_proj_names(checkpoint: Checkpoint, name: str) -> list[tuple[str, str, int]]:
    """Name the weights and biases that make queries, keys and values, and say how many of the three each makes.

    openai/CLIP has one matrix for all, other libraries have two, or three.
    """
    if f"{name}.in_proj_weight" in checkpoint:
        return [(f"{name}.in_proj_weight", f"{name}.in_proj_bias", 3)]
    has_two = f"{name}.kv_proj.weight" in checkpoint
    parts = {"q_proj": 1, "kv_proj": 2} if has_two else {"q_proj": 1, "k_proj": 1, "v_proj": 1}
    return [(f"{name}.{part}.weight", f"{name}.{part}.bias", count) for part, count in parts.items()]


def join_in_proj(checkpoint: Checkpoint, name: str) -> tuple[Array, Array]:
    """Copy the matrix (3 d, d) that makes queries, keys and values, and its bias."""
    weights, biases, _ = zip(*in_proj_names(checkpoint, name), strict=True)
    if len(weights) == 1:
        return checkpoint.copy(weights[0]), checkpoint.copy(biases[0])
    return np.concatenate(list(map(checkpoint.take, weights))), np.concatenate(list(map(checkpoint.take, biases)))


@dataclass(frozen=True, eq=False, repr=False)
class Attention:
    """Self-attention: one matrix makes queries, keys and values, another mixes the heads.

    Only queries keep their bias. That of the keys adds the same to all scores of a query, which softmax does not
    see; that of the values passes through the mixture, whose weights sum to 1, into the bias of `out_proj`.
    """

    in_proj: Array  # (3 d, d)
    query_bias: Array  # (d,)
    out_proj: Linear
    heads: int

    @classmethod
    def read(cls, source: Source, block: str, config: TransformerConfig) -> "Attention":
        """Take the weights of a block's attention from the checkpoint, the norm before and the scale behind it."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array, Array, Array]:
            weight, bias = join_in_proj(checkpoint, f"{block}.attn")
            fold_norm(checkpoint, f"{block}.ln_1", weight, bias)
            d = weight.shape[1]
            scale = np.float32(1 / math.sqrt(d // config.heads))
            weight[:d] *= scale
            out = f"{block}.attn.out_proj"
            out_weight, out_bias = checkpoint.take(f"{out}.weight"), checkpoint.copy(f"{out}.bias")
            out_bias += out_weight @ bias[2 * d :]
            if config.layer_scale:
                out_weight = checkpoint.copy(f"{out}.weight")
                fold_scale(checkpoint, f"{block}.ls_1.gamma", out_weight, out_bias)
            return weight, bias[:d] * scale, out_weight, out_bias

        in_weight, query_bias, out_weight, out_bias = source.derive(f"{block}.attn", prepare)
        return cls(in_weight, query_bias, Linear(out_weight, out_bias), config.heads)

    def __call__(self, x: Array, batch: int, shared: int, mask: Array | None) -> Array:
        """Mix tokens: (d, shared + batch n) -> the same shape."""
        d = len(x)
        qkv = self.in_proj @ x
        qkv[:d] += self.query_bias[:, np.newaxis]
        parts = qkv.reshape(3, self.heads, d // self.heads, -1)  # (3, h, k, shared + batch n)
        q, k, v = parts[..., shared:].reshape(*parts.shape[:3], batch, -1)
        if not shared:
            return self.out_proj(ops.attention(q, k, v, mask).reshape(x.shape))
        assert mask is not None
        first = parts[:, :, :, np.newaxis, :shared]  # all inputs begin with these tokens, which see no others
        mixed = (
            ops.attention(first[0], first[1], first[2], mask[:shared, :shared]),
            ops.attention(q, k, v, mask[shared:], (first[1, :, :, 0], first[2, :, :, 0])),
        )
        return self.out_proj(np.concatenate([part.reshape(d, -1) for part in mixed], axis=1))

    def one(self, x: Array, rows: NDArray[np.integer], shared: int, mask: Array | None) -> Array:
        """Mix into one token of each input: (d, shared + batch n), (batch,) -> (d, batch)."""
        d = len(x)
        q, k, v = self.in_proj.reshape(3, d, d)
        query = ops.linear(pick(x, rows, shared), q, self.query_bias)
        by_head = (self.heads, d // self.heads, -1)
        seen = None if mask is None else mask[shared + rows][:, np.newaxis]  # (b, 1, shared + n)
        mixed = ops.attention_of_one(query.reshape(by_head), x, k.reshape(by_head), v.reshape(by_head), seen, shared)
        return self.out_proj(mixed.reshape(d, -1))


@dataclass(frozen=True, eq=False, repr=False)
class MLP:
    """Two layers with an activation between them, applied to every token by itself."""

    c_fc: Linear
    c_proj: Linear
    activation: Activation

    @classmethod
    def read(cls, source: Source, block: str, config: TransformerConfig) -> "MLP":
        """Take the weights of a block's MLP from the checkpoint, the norm before and the scale behind it."""
        return cls(
            Linear.read(source, f"{block}.mlp.c_fc", norm=f"{block}.ln_2"),
            Linear.read(source, f"{block}.mlp.c_proj", scale=f"{block}.ls_2.gamma" if config.layer_scale else None),
            config.activation,
        )

    def __call__(self, x: Array) -> Array:  # (d, n) -> (d, n)
        return self.c_proj(ops.in_pieces(_ACTIVATIONS[self.activation], self.c_fc(x)))


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """One residual block of a transformer, norms first."""

    attn: Attention
    mlp: MLP
    eps: float

    @classmethod
    def read(cls, source: Source, name: str, config: TransformerConfig) -> "Block":
        """Take the weights under a name of the checkpoint."""
        return cls(Attention.read(source, name, config), MLP.read(source, name, config), config.eps)

    def __call__(self, x: Array, batch: int, shared: int = 0, mask: Array | None = None) -> Array:
        """Add to all tokens: (d, shared + batch n) -> the same shape."""
        x = x + self.attn(ops.standardize(x, self.eps), batch, shared, mask)
        x += self.mlp(ops.standardize(x, self.eps))
        return x

    def one(self, x: Array, rows: NDArray[np.integer], shared: int, mask: Array | None) -> Array:
        """Add to one token of each input: (d, shared + batch n), (batch,) -> (d, batch)."""
        y = pick(x, rows, shared) + self.attn.one(ops.standardize(x, self.eps), rows, shared, mask)
        y += self.mlp(ops.standardize(y, self.eps))
        return y


@dataclass(frozen=True, eq=False, repr=False)
class Transformer:
    """A stack of blocks."""

    resblocks: Sequence[Block]

    @classmethod
    def read(cls, source: Source, name: str, config: TransformerConfig) -> "Transformer":
        """Take the weights under a name of the checkpoint."""
        blocks = [partial(Block.read, source, f"{name}.resblocks.{i}", config) for i in range(config.layers)]
        return cls(source.sequence(blocks))

    def every(self, x: Array, batch: int) -> Array:
        """Compute all tokens: (d, batch n) -> the same shape."""
        for index in range(len(self.resblocks)):  # no name for the block: see below
            x = self.resblocks[index](x, batch)
        return x

    def one(self, x: Array, rows: NDArray[np.integer], shared: int = 0, mask: Array | None = None) -> Array:
        """Compute one token of each input: (d, shared + batch n), (batch,) -> (d, batch).

        The first columns are tokens that all inputs begin with, which are computed once; then come the other n of
        each input. Only the token at `rows` of those is read, so the last block computes no other.
        """
        last = len(self.resblocks) - 1
        for index in range(last):  # no name for the block: where memory is low it ends before the next one is made
            x = self.resblocks[index](x, len(rows), shared, mask)
        return self.resblocks[last].one(x, rows, shared, mask)


def pick(x: Array, rows: NDArray[np.integer], shared: int) -> Array:
    """Take one token of each input: (d, shared + batch n), (batch,) -> (d, batch)."""
    n = (x.shape[1] - shared) // len(rows)
    return x[:, shared + np.arange(len(rows)) * n + rows]
