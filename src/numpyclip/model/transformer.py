"""The transformer (Vaswani et al., 2017): blocks of attention and MLP, with norms first or last."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from numpyclip.model import ops
from numpyclip.model.attention import Attention
from numpyclip.model.blocks import Blocks
from numpyclip.model.kv_cache import KVCache
from numpyclip.model.layers import Affine, LayerNorm, Linear, fold_norm
from numpyclip.model.ops import Array
from numpyclip.model.rope import Rope, TextRope
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.transformer_config import EPS, Gate, MLPActivation, TransformerConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

_ACTIVATIONS: dict[MLPActivation, Callable[[Array], Array]] = {
    "quick_gelu": ops.quick_gelu,
    "gelu": ops.gelu,
    "gelu_tanh": ops.gelu_tanh,
    "relu": ops.relu,
    "silu": ops.silu,
}
_GATES: dict[Gate, Callable[[Array], Array]] = {"silu": ops.silu, "gelu": ops.gelu, "gelu_tanh": ops.gelu_tanh}


@dataclass(frozen=True, eq=False, repr=False)
class MLP:
    """Two layers with an activation between them, applied to each token independently.

    Or with a gate (Shazeer, 2020): the first layer makes a gate and a value, which are multiplied.
    """

    c_fc: Linear
    c_proj: Linear
    activation: MLPActivation
    gate: Gate | None = None
    inner_eps: float | None = None  # of the norm before `c_proj`
    norm: Affine | None = None  # of the first of two norms; the second, with `eps`, is folded into `c_fc`
    eps: float = EPS

    @classmethod
    def read(cls, weights: WeightReader, block: str, config: TransformerConfig) -> "MLP":
        """Read the weights of a block's MLP; fold in the norm before and the scale after it."""
        norm = None if config.post_norm else f"{block}.mlp.norm" if config.mlp_norm else f"{block}.ln_2"
        return cls(
            _read_gated(weights, f"{block}.mlp", norm)
            if config.gated
            else Linear.read(weights, f"{block}.mlp.c_fc", norm),
            Linear.read(
                weights,
                f"{block}.mlp.c_proj",
                norm=None if config.mlp_inner_eps is None else f"{block}.mlp.ln_inner",
                scale=f"{block}.ls_2.gamma" if config.layer_scale else None,
            ),
            config.activation,
            config.gate if config.gated else None,
            config.mlp_inner_eps,
            Affine.read(weights, f"{block}.ln_2") if config.mlp_norm else None,
            config.eps,
        )

    @property
    def output_dim(self) -> int:
        return self.c_proj.output_dim

    def __call__(self, x: Array) -> Array:  # (d, n) -> (d, n)
        if self.norm is not None:
            x = ops.standardize(self.norm(x), self.eps)
        y = self.c_fc(x)
        if self.gate is not None:
            gate, y = y.reshape(2, len(y) // 2, -1)
            y *= ops.in_pieces(_GATES[self.gate], gate)
        else:
            y = ops.in_pieces(_ACTIVATIONS[self.activation], y)
        if self.inner_eps is not None:
            y = ops.standardize(y, self.inner_eps)
        return self.c_proj(y)


def _read_gated(weights: WeightReader, name: str, norm: str | None) -> Linear:
    """Take the gate and the value of an MLP as one layer."""

    def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
        parts = (f"{name}.c_gate", f"{name}.c_fc")
        weight = checkpoint.join([f"{part}.weight" for part in parts])
        bias = checkpoint.join([f"{part}.bias" for part in parts])
        if norm is not None:
            fold_norm(checkpoint, norm, weight, bias)
        return weight, bias

    return Linear(*weights.derive(f"{name}.c_fc", prepare))


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """A residual block of a transformer: norms before attention and MLP, or after them."""

    attn: Attention
    mlp: MLP
    eps: float
    ln_1: LayerNorm | None = None  # after attention; a norm before it is folded into the weights
    ln_2: LayerNorm | None = None

    @classmethod
    def read(
        cls, weights: WeightReader, name: str, config: TransformerConfig, rope: Rope | TextRope | None = None
    ) -> "Block":
        """Read the weights under a name of the checkpoint."""
        attn, mlp = Attention.read(weights, name, config, rope), MLP.read(weights, name, config)
        if not config.post_norm:
            return cls(attn, mlp, config.eps)
        ln_1, ln_2 = (LayerNorm.read(weights, f"{name}.{norm}", config.eps) for norm in ("ln_1", "ln_2"))
        return cls(attn, mlp, config.eps, ln_1, ln_2)

    def __call__(self, x: Array, layout: TokenLayout) -> Array:
        """Compute all tokens: (d, shared + batch n) -> the same shape."""
        return self._add(x, self.attn(self._norm(x), layout))

    def pooled(self, x: Array, layout: TokenLayout) -> Array:
        """Compute the pooled token of each input only: (d, shared + batch n) -> (d, batch)."""
        return self._add(layout.pick(x), self.attn.pooled(self._norm(x), layout))

    def attention(self, x: Array, layout: TokenLayout) -> Array:
        """Compute how much each token attends to each: (d, batch n) -> (batch, h, n, n)."""
        return self.attn.probabilities(self._norm(x), layout)

    def extend(self, x: Array, cache: KVCache, mask: Array | None = None) -> Array:
        """Compute the next tokens of each input, and append them to the cache: (d, b m) -> the same shape."""
        return self._add(x, self.attn.extend(self._norm(x), cache, mask))

    def _norm(self, x: Array) -> Array:
        return ops.standardize(x, self.eps) if self.ln_1 is None else x

    def _add(self, x: Array, y: Array) -> Array:
        """Add the attention's output y to the tokens x, then the MLP's output to the sum."""
        x = x + (y if self.ln_1 is None else self.ln_1(y))
        y = self.mlp(self._norm(x))
        x += y if self.ln_2 is None else self.ln_2(y)
        return x


@dataclass(frozen=True, eq=False, repr=False)
class Transformer:
    """A stack of blocks."""

    resblocks: Blocks[Block]

    @classmethod
    def read(
        cls,
        weights: WeightReader,
        name: str,
        config: TransformerConfig,
        kind: type[Block] = Block,
        rope: TextRope | None = None,
    ) -> "Transformer":
        """Read the weights under a name of the checkpoint."""
        of_image = Rope.make(config.rope, config.width // config.heads) if config.rope else None
        blocks = [
            partial(kind.read, weights, f"{name}.resblocks.{i}", config, rope or of_image) for i in range(config.layers)
        ]
        return cls(weights.blocks(blocks))

    def __call__(self, x: Array, layout: TokenLayout, count: int | None = None) -> Array:
        """Compute all tokens, by all blocks or the first ones: (d, shared + batch n) -> the same shape."""
        return self.resblocks.run(x, lambda block, x: block(x, layout), count=count)

    def attention(self, x: Array, layout: TokenLayout, index: int) -> Array:
        """Compute how much each token attends to each in one block: (d, batch n) -> (batch, h, n, n)."""
        x = self(x, layout, index)
        return self.resblocks[index].attention(x, layout)

    def pooled(self, x: Array, layout: TokenLayout) -> Array:
        """Compute the pooled token of each input, in the last block no other: (d, shared + batch n) -> (d, batch)."""
        return self.resblocks.run(x, lambda block, x: block(x, layout), last=lambda block, x: block.pooled(x, layout))

    def extend(self, x: Array, caches: Sequence[KVCache], mask: Array | None = None) -> Array:
        """Compute the next tokens of each input, and append them to the blocks' caches: (d, b m) -> the same shape."""
        return self.resblocks.run(x, lambda block, x, cache: block.extend(x, cache, mask), caches)
