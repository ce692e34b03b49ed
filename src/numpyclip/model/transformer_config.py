"""Sizes and options of a stack of transformer blocks, of images or of texts."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from numpyclip.images.preprocess import Size
from numpyclip.weights.checkpoint import Activation

EPS = 1e-5  # of norms, unless a config file says otherwise

# From the pooled token to the embedding: a matrix, or an MLP: of twice the embedding's width for images, for texts of a
# width halfway between the token's and the embedding's.
Projection: TypeAlias = Literal["linear", "mlp"]

# The activation of an MLP; ReLU only in encoders of texts.
MLPActivation: TypeAlias = Activation | Literal["relu"]

# Which of queries, keys and values have a bias of their own.
Biased: TypeAlias = Literal["qkv", "qv", ""]

# What the gate of an MLP is passed through: SwiGLU and GEGLU (Shazeer, 2020).
Gate: TypeAlias = Literal["silu", "gelu", "gelu_tanh"]


@dataclass(frozen=True, kw_only=True)
class RopeConfig:
    """Positions of patches for rotary embeddings (Su et al., 2021) of rows and columns.

    The grid, `side` by `side` patches or rows and columns, is scaled to the `reference` grid of pretraining, and
    counted from `offset`.
    `columns_first`: the first half of a head's channels encodes the column.
    """

    side: Size
    reference: int
    offset: int = 0
    columns_first: bool = False


@dataclass(frozen=True, kw_only=True)
class TextRopeConfig:
    """Rotary embeddings of the positions of up to `length` tokens.

    `base` (theta): of heads of k channels, pair i turns by base ** (-2 i / k) for each position.
    """

    base: float
    length: int


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes and options of a stack of residual blocks.

    `layer_scale`: the outputs of attention and MLP are scaled per channel; `biased`: which of queries, keys and values
    have a bias; `gated`: the MLP has a gate, through `gate`; `sub_norm`: there is a norm before the last matrix of
    attention and MLP; `mlp_inner_norm`: before that of the MLP alone; `mlp_norm`: a second norm before the MLP;
    `post_norm`: norms come after attention and MLP, not before; `attention_width`: that of the queries of all heads, if
    it is not that of the tokens.
    """

    width: int
    layers: int
    heads: int
    mlp_width: int
    activation: MLPActivation
    eps: float = EPS
    layer_scale: bool = False
    biased: Biased = "qkv"
    rope: RopeConfig | None = None
    gated: bool = False
    gate: Gate = "silu"
    sub_norm: bool = False
    mlp_inner_norm: bool = False
    mlp_norm: bool = False
    post_norm: bool = False
    attention_width: int | None = None

    @property
    def mlp_inner_eps(self) -> float | None:
        """The epsilon of the norm before the last matrix of an MLP; None without such a norm."""
        if self.sub_norm:
            return self.eps
        return EPS if self.mlp_inner_norm else None  # nomic-embed-vision's authors have it fixed
