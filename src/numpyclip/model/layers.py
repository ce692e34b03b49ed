"""Records of weights that can be called, prepared for speed when they are read from a checkpoint.

What can be multiplied out beforehand is: the scale and shift of a norm into the product behind it, the root of the
head's width into the queries, and biases where they come for free. Names are those of the checkpoint.

Records are compared by identity and printed by name: neither is of use for arrays of millions of numbers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import ops
from numpyclip.model.config import EPS
from numpyclip.model.ops import Array
from numpyclip.model.source import Source
from numpyclip.weights.checkpoint import Activation, Checkpoint

_ACTIVATIONS: dict[Activation, Callable[[Array], Array]] = {"quick_gelu": ops.quick_gelu, "gelu": ops.gelu}


@dataclass(frozen=True, eq=False, repr=False)
class Linear:
    """A matrix (e, d) and a bias (e,)."""

    weight: Array
    bias: Array

    @classmethod
    def read(cls, source: Source, name: str, norm: str | None = None) -> "Linear":
        """Take the weights under a name of the checkpoint, and into them those of the norm before it."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
            if norm is None:
                return checkpoint.take(f"{name}.weight"), checkpoint.take(f"{name}.bias")
            weight, bias = checkpoint.copy(f"{name}.weight"), checkpoint.copy(f"{name}.bias")
            fold_norm(checkpoint, norm, weight, bias)
            return weight, bias

        return cls(*source.derive(name, prepare))

    def __call__(self, x: Array) -> Array:  # (d, ...) -> (e, ...)
        return ops.linear(x, self.weight, self.bias)


def read_projection(source: Source, name: str, norm: str) -> Linear:
    """Take the matrix (d, e) at a tower's end, which has no bias, and into it the norm before it."""

    def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
        weight = np.ascontiguousarray(checkpoint.take(name).T)
        bias = np.zeros(len(weight), np.float32)
        fold_norm(checkpoint, norm, weight, bias)
        return weight, bias

    return Linear(*source.derive(name, prepare))


def fold_norm(checkpoint: Checkpoint, norm: str, weight: Array, bias: Array) -> None:
    """Make W x + b of W (scale x + shift) + b, in place."""
    bias += weight @ checkpoint.take(f"{norm}.bias")
    weight *= checkpoint.take(f"{norm}.weight")


@dataclass(frozen=True, eq=False, repr=False)
class LayerNorm:
    """A scale and a shift (d,)."""

    weight: Array
    bias: Array

    @classmethod
    def read(cls, source: Source, name: str) -> "LayerNorm":
        """Take the weights under a name of the checkpoint."""
        return cls(*source.derive(name, lambda at: (at.take(f"{name}.weight"), at.take(f"{name}.bias"))))

    def __call__(self, x: Array) -> Array:  # (d, n) -> (d, n)
        y = ops.standardize(x, EPS)
        y *= self.weight[:, np.newaxis]
        y += self.bias[:, np.newaxis]
        return y


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
    def read(cls, source: Source, name: str, norm: str, heads: int) -> "Attention":
        """Take the weights under a name of the checkpoint, and into them those of the norm before them."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array, Array, Array]:
            weight, bias = checkpoint.copy(f"{name}.in_proj_weight"), checkpoint.copy(f"{name}.in_proj_bias")
            fold_norm(checkpoint, norm, weight, bias)
            d = weight.shape[1]
            scale = np.float32(1 / math.sqrt(d // heads))
            weight[:d] *= scale
            out_weight, out_bias = checkpoint.take(f"{name}.out_proj.weight"), checkpoint.copy(f"{name}.out_proj.bias")
            out_bias += out_weight @ bias[2 * d :]
            return weight, bias[:d] * scale, out_weight, out_bias

        in_weight, query_bias, out_weight, out_bias = source.derive(name, prepare)
        return cls(in_weight, query_bias, Linear(out_weight, out_bias), heads)

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
    def read(cls, source: Source, name: str, norm: str, activation: Activation) -> "MLP":
        """Take the weights under a name of the checkpoint, and into them those of the norm before them."""
        return cls(Linear.read(source, f"{name}.c_fc", norm), Linear.read(source, f"{name}.c_proj"), activation)

    def __call__(self, x: Array) -> Array:  # (d, n) -> (d, n)
        return self.c_proj(ops.in_pieces(_ACTIVATIONS[self.activation], self.c_fc(x)))


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """One residual block of a transformer, norms first."""

    attn: Attention
    mlp: MLP

    @classmethod
    def read(cls, source: Source, name: str, heads: int, activation: Activation) -> "Block":
        """Take the weights under a name of the checkpoint."""
        return cls(
            Attention.read(source, f"{name}.attn", f"{name}.ln_1", heads),
            MLP.read(source, f"{name}.mlp", f"{name}.ln_2", activation),
        )

    def __call__(self, x: Array, batch: int, shared: int = 0, mask: Array | None = None) -> Array:
        """Add to all tokens: (d, shared + batch n) -> the same shape."""
        x = x + self.attn(ops.standardize(x, EPS), batch, shared, mask)
        x += self.mlp(ops.standardize(x, EPS))
        return x

    def one(self, x: Array, rows: NDArray[np.integer], shared: int, mask: Array | None) -> Array:
        """Add to one token of each input: (d, shared + batch n), (batch,) -> (d, batch)."""
        y = pick(x, rows, shared) + self.attn.one(ops.standardize(x, EPS), rows, shared, mask)
        y += self.mlp(ops.standardize(y, EPS))
        return y


@dataclass(frozen=True, eq=False, repr=False)
class Transformer:
    """A stack of blocks."""

    resblocks: Sequence[Block]

    @classmethod
    def read(cls, source: Source, name: str, layers: int, heads: int, activation: Activation) -> "Transformer":
        """Take the weights under a name of the checkpoint."""
        return cls(
            source.sequence(
                [partial(Block.read, source, f"{name}.resblocks.{i}", heads, activation) for i in range(layers)]
            )
        )

    def __call__(self, x: Array, rows: NDArray[np.integer], shared: int = 0, mask: Array | None = None) -> Array:
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
