"""Records of weights that can be called. Field names are those of the checkpoint, so that reading needs no table.

Records are compared by identity and printed by name: neither is of use for arrays of millions of numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import ops
from numpyclip.model.config import EPS
from numpyclip.model.ops import Array
from numpyclip.weights.checkpoint import Activation, Checkpoint

_ACTIVATIONS: dict[Activation, Callable[[Array], Array]] = {"quick_gelu": ops.quick_gelu, "gelu": ops.gelu}


@dataclass(frozen=True, eq=False, repr=False)
class Linear:
    """A matrix (e, d) and a bias (e,)."""

    weight: Array
    bias: Array

    @classmethod
    def read(cls, checkpoint: Checkpoint, name: str, d: int, e: int) -> "Linear":
        """Take the weights under a name of the checkpoint."""
        return cls(checkpoint.take(f"{name}.weight", (e, d)), checkpoint.take(f"{name}.bias", (e,)))

    def __call__(self, x: Array) -> Array:  # (..., d) -> (..., e)
        return ops.linear(x, self.weight, self.bias)


@dataclass(frozen=True, eq=False, repr=False)
class LayerNorm:
    """A scale and a shift (d,)."""

    weight: Array
    bias: Array

    @classmethod
    def read(cls, checkpoint: Checkpoint, name: str, d: int) -> "LayerNorm":
        """Take the weights under a name of the checkpoint."""
        return cls(checkpoint.take(f"{name}.weight", (d,)), checkpoint.take(f"{name}.bias", (d,)))

    def __call__(self, x: Array) -> Array:  # (..., d) -> (..., d)
        return ops.layer_norm(x, self.weight, self.bias, EPS)


@dataclass(frozen=True, eq=False, repr=False)
class Attention:
    """Self-attention: one matrix makes queries, keys and values, another mixes the heads."""

    in_proj: Linear
    out_proj: Linear
    heads: int

    @classmethod
    def read(cls, checkpoint: Checkpoint, name: str, d: int, heads: int) -> "Attention":
        """Take the weights under a name of the checkpoint."""
        in_proj = Linear(
            checkpoint.take(f"{name}.in_proj_weight", (3 * d, d)),
            checkpoint.take(f"{name}.in_proj_bias", (3 * d,)),
        )
        return cls(in_proj, Linear.read(checkpoint, f"{name}.out_proj", d, d), heads)

    def __call__(self, x: Array, mask: Array | None) -> Array:  # (b, n, d) -> (b, n, d)
        q, k, v = (ops.split_heads(part, self.heads) for part in np.split(self.in_proj(x), 3, axis=-1))
        return self.out_proj(ops.join_heads(ops.attention(q, k, v, mask)))

    def one(self, x: Array, rows: NDArray[np.integer], mask: Array | None) -> Array:  # (b, n, d), (b,) -> (b, d)
        d = x.shape[-1]
        weight, bias = self.in_proj.weight, self.in_proj.bias
        query = ops.linear(pick(x, rows), weight[:d], bias[:d])[:, np.newaxis]  # (b, 1, d)
        keys, values = np.split(ops.linear(x, weight[d:], bias[d:]), 2, axis=-1)
        q, k, v = (ops.split_heads(part, self.heads) for part in (query, keys, values))
        seen = None if mask is None else mask[rows][:, np.newaxis, np.newaxis]  # (b, 1, 1, n)
        return self.out_proj(ops.join_heads(ops.attention(q, k, v, seen))[:, 0])


@dataclass(frozen=True, eq=False, repr=False)
class MLP:
    """Two layers with an activation between them, applied to every token by itself."""

    c_fc: Linear
    c_proj: Linear
    activation: Activation

    @classmethod
    def read(cls, checkpoint: Checkpoint, name: str, d: int, activation: Activation) -> "MLP":
        """Take the weights under a name of the checkpoint."""
        hidden = checkpoint.shape(f"{name}.c_fc.weight", 2)[0]
        c_fc = Linear.read(checkpoint, f"{name}.c_fc", d, hidden)
        return cls(c_fc, Linear.read(checkpoint, f"{name}.c_proj", hidden, d), activation)

    def __call__(self, x: Array) -> Array:  # (b, n, d) -> (b, n, d)
        return self.c_proj(_ACTIVATIONS[self.activation](self.c_fc(x)))


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """One residual block of a transformer, norms first."""

    ln_1: LayerNorm
    attn: Attention
    ln_2: LayerNorm
    mlp: MLP

    @classmethod
    def read(cls, checkpoint: Checkpoint, name: str, d: int, heads: int, activation: Activation) -> "Block":
        """Take the weights under a name of the checkpoint."""
        return cls(
            LayerNorm.read(checkpoint, f"{name}.ln_1", d),
            Attention.read(checkpoint, f"{name}.attn", d, heads),
            LayerNorm.read(checkpoint, f"{name}.ln_2", d),
            MLP.read(checkpoint, f"{name}.mlp", d, activation),
        )

    def __call__(self, x: Array, mask: Array | None = None) -> Array:  # (b, n, d) -> (b, n, d)
        x = x + self.attn(self.ln_1(x), mask)
        return x + self.mlp(self.ln_2(x))

    def one(self, x: Array, rows: NDArray[np.integer], mask: Array | None) -> Array:  # (b, n, d), (b,) -> (b, d)
        y = pick(x, rows) + self.attn.one(self.ln_1(x), rows, mask)
        return y + self.mlp(self.ln_2(y))


@dataclass(frozen=True, eq=False, repr=False)
class Transformer:
    """A stack of blocks."""

    resblocks: tuple[Block, ...]

    @classmethod
    def read(
        cls, checkpoint: Checkpoint, name: str, layers: int, d: int, heads: int, activation: Activation
    ) -> "Transformer":
        """Take the weights under a name of the checkpoint."""
        return cls(
            tuple(Block.read(checkpoint, f"{name}.resblocks.{index}", d, heads, activation) for index in range(layers))
        )

    def __call__(self, x: Array, rows: NDArray[np.integer], mask: Array | None = None) -> Array:
        """Compute one token of each input: (b, n, d), (b,) -> (b, d).

        Only that one is read, so the last block computes its keys and values for all tokens, the rest for it alone.
        """
        for block in self.resblocks[:-1]:
            x = block(x, mask)
        return self.resblocks[-1].one(x, rows, mask)


def pick(x: Array, rows: NDArray[np.integer]) -> Array:
    """Take one token of each input: (b, n, d), (b,) -> (b, d)."""
    picked: Array = x[np.arange(len(x)), rows]
    return picked
