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
from numpyclip.model.config import Biased, TransformerConfig
from numpyclip.model.ops import Array
from numpyclip.model.past import Past
from numpyclip.model.rope import Rope
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
    def read(cls, source: Source, block: str, config: TransformerConfig, rope: Rope | None = None) -> "Attention":
        """Take the weights of a block's attention from the checkpoint, the norm before and the scale behind it."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array, Array, Array]:
            weight, bias = join_in_proj(checkpoint, f"{block}.attn", config.biased)
            if not config.norm_last:
                fold_norm(checkpoint, f"{block}.ln_1", weight, bias)
            d = weight.shape[1]
            scale = np.float32(1 / math.sqrt(d // config.heads))
            weight[:d] *= scale
            bias[:d] *= scale
            behind = f"{block}.ls_1.gamma" if config.layer_scale else None
            inner = f"{block}.attn.ln_inner" if config.inner_norm else None
            value_bias = None if config.inner_norm else bias[2 * d :]
            out_proj = prepare_out_proj(checkpoint, f"{block}.attn.out_proj", value_bias, norm=inner, scale=behind)
            kept = 3 if config.inner_norm else 2 if rope else 1
            return weight, bias[: kept * d].copy(), *out_proj

        in_weight, bias, out_weight, out_bias = source.derive(f"{block}.attn", prepare)
        inner_eps = config.eps if config.inner_norm else None
        return cls(in_weight, bias, Linear(out_weight, out_bias), config.heads, rope, inner_eps)

    def __call__(self, x: Array, batch: int, shared: int, mask: Array | None) -> Array:
        """Mix tokens: (d, shared + batch n) -> the same shape. The mask is (n, n), or (batch, n, n)."""
        return self._project(self._mix(x, batch, shared, mask))

    def extend(self, x: Array, past: Past, mask: Array | None) -> Array:
        """Mix into the next tokens of each input those before them: (d, b m) -> the same shape."""
        parts = self._queries_keys_values(x)
        q, k, v = parts.reshape(*parts.shape[:3], past.batch, -1)
        return self._project(ops.attention(q, *past.append(k, v), mask).reshape(x.shape))

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


@dataclass(frozen=True, eq=False, repr=False)
class MLP:
    """Two layers with an activation between them, applied to every token by itself.

    Or a SwiGLU (Shazeer, 2020), where the first layer makes twice as much, and the first half says how much of the
    second passes.
    """

    c_fc: Linear
    c_proj: Linear
    activation: Activation
    gated: bool = False
    inner_eps: float | None = None  # of the norm before `c_proj`

    @classmethod
    def read(cls, source: Source, block: str, config: TransformerConfig) -> "MLP":
        """Take the weights of a block's MLP from the checkpoint, the norm before and the scale behind it."""
        norm = None if config.norm_last else f"{block}.ln_2"
        return cls(
            _read_gated(source, f"{block}.mlp", norm)
            if config.gated
            else Linear.read(source, f"{block}.mlp.c_fc", norm),
            Linear.read(
                source,
                f"{block}.mlp.c_proj",
                norm=f"{block}.mlp.ln_inner" if config.inner_norm else None,
                scale=f"{block}.ls_2.gamma" if config.layer_scale else None,
            ),
            config.activation,
            config.gated,
            config.eps if config.inner_norm else None,
        )

    def __call__(self, x: Array) -> Array:  # (d, n) -> (d, n)
        y = self.c_fc(x)
        if self.gated:
            gate, y = y.reshape(2, len(y) // 2, -1)
            y *= ops.in_pieces(ops.silu, gate)
        else:
            y = ops.in_pieces(_ACTIVATIONS[self.activation], y)
        if self.inner_eps is not None:
            y = ops.standardize(y, self.inner_eps)
        return self.c_proj(y)


def _read_gated(source: Source, name: str, norm: str | None) -> Linear:
    """Take the gate of a SwiGLU, and what passes it, as one layer."""

    def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
        parts = (f"{name}.c_gate", f"{name}.c_fc")
        weight = np.concatenate([checkpoint.take(f"{part}.weight") for part in parts])
        bias = np.concatenate([checkpoint.take(f"{part}.bias") for part in parts])
        if norm is not None:
            fold_norm(checkpoint, norm, weight, bias)
        return weight, bias

    return Linear(*source.derive(f"{name}.c_fc", prepare))


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """One residual block of a transformer: norms first, or last."""

    attn: Attention
    mlp: MLP
    eps: float
    ln_1: LayerNorm | None = None  # of what is added; a norm that comes first is part of the weights behind it
    ln_2: LayerNorm | None = None

    @classmethod
    def read(cls, source: Source, name: str, config: TransformerConfig, rope: Rope | None = None) -> "Block":
        """Take the weights under a name of the checkpoint."""
        attn, mlp = Attention.read(source, name, config, rope), MLP.read(source, name, config)
        if not config.norm_last:
            return cls(attn, mlp, config.eps)
        ln_1, ln_2 = (LayerNorm.read(source, f"{name}.{norm}", config.eps) for norm in ("ln_1", "ln_2"))
        return cls(attn, mlp, config.eps, ln_1, ln_2)

    def __call__(self, x: Array, batch: int, shared: int = 0, mask: Array | None = None) -> Array:
        """Add to all tokens: (d, shared + batch n) -> the same shape."""
        return self._rest(x, self.attn(self._first(x), batch, shared, mask))

    def extend(self, x: Array, past: Past, mask: Array | None = None) -> Array:
        """Add to the next tokens of each input: (d, b m) -> the same shape. The past is longer by them afterwards."""
        return self._rest(x, self.attn.extend(self._first(x), past, mask))

    def one(self, x: Array, rows: NDArray[np.integer], shared: int, mask: Array | None) -> Array:
        """Add to one token of each input: (d, shared + batch n), (batch,) -> (d, batch)."""
        y = self.attn.one(self._first(x), rows, shared, mask)
        return self._rest(pick(x, rows, shared), y)

    def _first(self, x: Array) -> Array:
        return ops.standardize(x, self.eps) if self.ln_1 is None else x

    def _rest(self, x: Array, y: Array) -> Array:
        """Add what the attention made of tokens, and what the MLP makes of the sum."""
        x = x + (y if self.ln_1 is None else self.ln_1(y))
        y = self.mlp(self._first(x))
        x += y if self.ln_2 is None else self.ln_2(y)
        return x


@dataclass(frozen=True, eq=False, repr=False)
class Transformer:
    """A stack of blocks."""

    resblocks: Sequence[Block]

    @classmethod
    def read(cls, source: Source, name: str, config: TransformerConfig, kind: type[Block] = Block) -> "Transformer":
        """Take the weights under a name of the checkpoint, of blocks of some kind."""
        rope = Rope.make(config.rope, config.width // config.heads) if config.rope else None
        blocks = [partial(kind.read, source, f"{name}.resblocks.{i}", config, rope) for i in range(config.layers)]
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
