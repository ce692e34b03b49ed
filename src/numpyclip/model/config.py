"""Sizes and options of a model, as `numpyclip.families` finds them in tensor shapes and config files."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.images.preprocess import Preprocess, Size, sides_of
from numpyclip.weights.checkpoint import Activation

EPS = 1e-5  # of norms, unless a config file says otherwise
RESNET_STRIDE = 32  # pixels of the image behind one position of the last feature map
FASTVIT_HEAD_WIDTH = 32
POOL_HEAD_WIDTH = 64  # of attention pooling behind timm's convolutions

# What is pooled of an image: the class token; the mean of the patches; a learned query that attends to all of them,
# followed by an MLP ("map", as in SigLIP); the first of many learned queries, without an MLP ("attn", as in CoCa).
VisionPool: TypeAlias = Literal["tok", "avg", "map", "attn"]

# From the pooled token to the embedding: a matrix, or an MLP: of twice the embedding's width for images, for texts of a
# width halfway between the token's and the embedding's.
Projection: TypeAlias = Literal["linear", "mlp"]

# The activation of an MLP; ReLU only in encoders of texts.
MLPActivation: TypeAlias = Activation | Literal["relu"]

# How a feature map is pooled: the mean of its pixels, or attention of the mean to them, with positional embeddings that
# are learned or rotary.
MapPooling: TypeAlias = Literal["avg", "abs_attn", "rot_attn"]

# How positional embeddings are resized; both are antialiased.
Interpolation: TypeAlias = Literal["bilinear", "bicubic"]

# Which of queries, keys and values have a bias of their own.
Biased: TypeAlias = Literal["qkv", "qv", ""]

# What the gate of an MLP is passed through: SwiGLU and GEGLU (Shazeer, 2020).
Gate: TypeAlias = Literal["silu", "gelu"]

# The pooled token of a text: that of the highest id, the first end-of-text token, the last token, the first token; or a
# class token, which comes last and attends to those of the text ("cls", as in CoCa). Or the mean of all but padding.
TextPool: TypeAlias = Literal["argmax", "eos", "last", "first", "cls", "mean"]


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
    """Rotary embeddings of the positions of up to `length` tokens; `base` is the inverse of the slowest rotation."""

    base: float
    length: int


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes and options of a stack of residual blocks.

    `layer_scale`: the outputs of attention and MLP are scaled per channel; `biased`: which of queries, keys and values
    have a bias; `gated`: the MLP has a gate, through `gate`; `sub_norm`: there is a norm before the last matrix of
    attention and MLP; `mlp_norm`: a second norm before the MLP; `post_norm`: norms come after attention and MLP, not
    before; `attention_width`: that of the queries of all heads, if it is not that of the tokens.
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
    mlp_norm: bool = False
    post_norm: bool = False
    attention_width: int | None = None

    @property
    def mlp_inner_eps(self) -> float | None:
        """The epsilon of the norm before the last matrix of an MLP; None without such a norm."""
        return self.eps if self.sub_norm else None


@dataclass(frozen=True, kw_only=True)
class StemConfig:
    """How pixels become patches.

    `width` is that of the convolutions before the patch embedding, if any; `zero_padding`: they see the image shifted
    by one pixel to the right and down, zero-padded; `patch_bias`: the patch embedding has a bias. With `widths` there
    are stages of so many blocks (`layers`) and channels in place of a patch embedding.
    """

    width: int | None = None
    widths: tuple[int, ...] = ()
    layers: tuple[int, ...] = ()
    zero_padding: bool = False
    patch_bias: bool = False


@dataclass(frozen=True, kw_only=True)
class PoolConfig:
    """How tokens are pooled: `norm_after` says that the last norm is applied to the pooled token, not to every token.

    `heads` and `mlp_width` are those of "map" and "attn", if not the blocks'; only "attn" has `queries`. With
    `patches_only` the query of "map" does not attend to class token and registers.
    """

    kind: VisionPool = "tok"
    heads: int | None = None
    mlp_width: int | None = None
    norm_after: bool = False
    queries: int = 0
    patches_only: bool = False


@dataclass(frozen=True, kw_only=True)
class VisionTransformerConfig(TransformerConfig):
    """Sizes and options of a vision transformer; `patch_size` and `image_size`, or (height, width), in pixels.

    `registers`: number of further tokens after the class token (Darcet et al., 2023); `class_position`: these tokens
    have positional embeddings, too; `positions`: patches have, interpolated as `position_kind` if there is a square of
    `position_grid` by `position_grid` for them; `norm_before`: there is a norm before the first block;
    `flexible`: images may have any shape, for which the positional embeddings of a square are interpolated.
    """

    image_size: Size
    patch_size: int
    stem: StemConfig = StemConfig()
    class_token: bool = True
    registers: int = 0
    class_position: bool = True
    positions: bool = True
    position_grid: int | None = None
    position_kind: Interpolation = "bilinear"
    norm_before: bool = True
    pool: PoolConfig = PoolConfig()
    projection: Projection | None = "linear"
    flexible: bool = False

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        height, width = sides_of(self.image_size)
        return height // self.patch_size, width // self.patch_size

    @property
    def tokens(self) -> int:
        """Tokens of an image: its patches, and those before them."""
        return math.prod(self.grid) + self.prefix

    @property
    def prefix(self) -> int:
        """Tokens before the patches: the class token, if any, and registers."""
        return self.class_token + self.registers

    cost = tokens  # of an image: see `numpyclip.runtime.chunks`

    @property
    def described(self) -> int:
        """Number of tokens that a decoder attends to: all but the pooled one."""
        return self.pool.queries - 1 if self.pool.kind == "attn" else self.tokens - self.class_token


@dataclass(frozen=True, kw_only=True)
class NomicVisionConfig(VisionTransformerConfig):
    """Sizes and options of nomic-embed-vision: `inner_norm`: there is a norm before the last matrix of MLPs alone."""

    inner_norm: bool = True

    @property
    def mlp_inner_eps(self) -> float | None:
        """The epsilon of the norm before the last matrix of an MLP, whatever that of other norms."""
        return EPS if self.inner_norm else None


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """Sizes of a modified ResNet: `image_size` in pixels, `layers` in blocks per stage."""

    image_size: int
    width: int
    layers: tuple[int, int, int, int]
    heads: int

    @property
    def cost(self) -> int:
        """Cost of an image, in pixels of the second stage."""
        return (self.image_size // 8) ** 2


@dataclass(frozen=True, kw_only=True)
class StagesConfig:
    """Sizes of a tower of convolutions.

    `image_size`, or (height, width), in pixels; blocks (`layers`) and channels (`widths`) per stage. `mlp_head`: the
    head is an MLP, not a matrix; `has_head`: there is one.
    """

    image_size: Size
    layers: tuple[int, ...]
    widths: tuple[int, ...]
    mlp_head: bool
    has_head: bool = True
    pool: MapPooling = "avg"

    @property
    def features(self) -> int:
        """Width of what is pooled."""
        return self.widths[-1]

    @property
    def unprojected(self) -> int | None:
        """Width of embeddings if nothing projects what is pooled."""
        return self.features if self.pool == "avg" and not self.has_head else None

    @property
    def cost(self) -> int:
        """Cost of an image, in pixels of the third stage, where most of the work is done."""
        return math.prod(side // 16 for side in sides_of(self.image_size))


@dataclass(frozen=True, kw_only=True)
class ConvNeXtConfig(StagesConfig):
    """Sizes and options of a ConvNeXt. `hidden`: there is one more layer before its head."""

    eps: float
    hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class FastViTConfig(StagesConfig):
    """Sizes and options of a FastViT, whose stages have attention from the fourth on.

    `mlp_ratio` is the width of an MLP over the stage's; `stem_scale`: the stem has 1 x 1 branches; `squeeze`: the third
    and fourth stages begin with squeeze-and-excitation; `layer_norm`: there is a layer norm, not a batch norm, before
    attention.
    """

    mlp_ratio: int
    stem_scale: bool
    squeeze: bool
    layer_norm: bool

    @property
    def features(self) -> int:
        """Width of what is pooled."""
        return 2 * self.widths[-1]

    def has_attention(self, stage: int) -> bool:
        """Whether a stage, counted from 0, has attention."""
        return stage >= 3


VisionConfig: TypeAlias = VisionTransformerConfig | ResNetConfig | ConvNeXtConfig | FastViTConfig


@dataclass(frozen=True, kw_only=True)
class TextConfig(TransformerConfig):
    """Sizes and options of a text transformer; only the pool "eos" uses `end_id`, the id of the end-of-text token."""

    context_length: int
    vocab_size: int
    causal: bool = True
    pool: TextPool = "argmax"
    end_id: int | None = None
    pad_id: int = 0
    projection: Projection | None = "linear"

    @property
    def has_class_token(self) -> bool:
        """Whether the pooled token is a class token."""
        return self.pool == "cls"

    @property
    def least_length(self) -> int:
        """Minimum length of ids: padding cannot be left out with bidirectional attention or a class token behind it."""
        return 1 if self.causal and not self.has_class_token else self.context_length

    def lengths(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Count the tokens of each text that its embedding depends on: (b, n) -> (b,)."""
        if self.has_class_token:  # attends to one token of padding: see `TextTransformer.is_hidden`
            is_text = ids != self.pad_id
            ends = np.where(is_text.any(axis=1), ids.shape[1] - is_text[:, ::-1].argmax(axis=1), 0)
            seen: NDArray[np.integer] = np.minimum(ends + 1, ids.shape[1])
            return seen
        return self.ends(ids) + 1 if self.causal else np.full(len(ids), ids.shape[1])

    def ends(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Find the pooled token of each text: (b, n) -> (b,). A class token comes after all n."""
        if self.pool in ("argmax", "eos"):
            ends: NDArray[np.integer] = (ids if self.pool == "argmax" else ids == self.end_id).argmax(axis=1)
            return ends
        return np.full(len(ids), {"first": 0, "last": ids.shape[1] - 1, "cls": ids.shape[1]}[self.pool])


@dataclass(frozen=True, kw_only=True)
class DecoderConfig(TransformerConfig):
    """Sizes and options of a decoder of captions, padded with `pad_id`."""

    context_length: int
    pad_id: int = 0


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(TextConfig):
    """Sizes and options of a bidirectional encoder that masks padding. Its pools are "first" and "mean"."""

    causal: bool = False
    pool: TextPool = "first"

    @property
    def least_length(self) -> int:
        """Minimum length of ids."""
        return 1

    def lengths(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Count the tokens of each text without padding: (b, n) -> (b,)."""
        is_padding = np.cumprod(ids[:, ::-1] == self.pad_id, axis=1)
        lengths: NDArray[np.integer] = np.maximum(ids.shape[1] - is_padding.sum(axis=1), 1)
        return lengths


@dataclass(frozen=True, kw_only=True)
class BertConfig(EncoderConfig):
    """Sizes and options of a BERT or RoBERTa.

    `token_types` is the number of token types, of which only the first is used; `first_place` the number of unused
    positions at the start of the table, which has `positions` if that is not as many as a text may have besides;
    `pooler`: a layer with tanh follows the pooled token; `end_width` is the width of a layer between blocks and
    projection, if any.
    """

    post_norm: bool = True  # of sums
    token_types: int = 1
    first_place: int = 0
    positions: int | None = None
    pooler: bool = False
    end_width: int | None = None


@dataclass(frozen=True, kw_only=True)
class RelativeBertConfig(EncoderConfig):
    """Sizes and options of a BERT without a table of positions, which are rotary, or a bias (`alibi`).

    `hides_padding`: padding within a text is masked, too; `standardized`: embeddings have mean 0 and variance 1;
    `standardizable`: they have where they are truncated, or compared with images.
    """

    post_norm: bool = True  # of sums
    token_types: int = 1
    rotary: TextRopeConfig | None = None
    alibi: bool = False
    hides_padding: bool = False
    standardized: bool = False
    standardizable: bool = False


@dataclass(frozen=True, kw_only=True)
class MCTConfig(TextConfig):
    """Sizes and options of a text transformer between two convolution blocks, over `kernel_size` tokens."""

    causal: bool = False
    kernel_size: int = 11


@dataclass(frozen=True, kw_only=True)
class CLIPConfig:
    """Sizes and options of a whole model; `vision` or `text` is None if it has the other tower only.

    `family` names the layout of the checkpoint; `sigmoid`: pairs are scored independently (SigLIP), not by a softmax;
    `matryoshka`: embeddings were trained to be truncated; `full_dim` is their dimension before, if they are.
    """

    family: str
    embed_dim: int
    vision: VisionConfig | None
    text: TextConfig | None
    preprocess: Preprocess
    sigmoid: bool = False
    decoder: DecoderConfig | None = None
    matryoshka: bool = False
    full_dim: int | None = None

    @property
    def tower_dim(self) -> int:
        """Dimension of what the towers compute."""
        return self.full_dim or self.embed_dim

    def truncate(self, dim: int) -> "CLIPConfig":
        """Return it with embeddings of the first dimensions only, not more than there are."""
        if dim == self.embed_dim:
            return self
        return replace(self.standardize(), embed_dim=dim, full_dim=self.tower_dim)

    def standardize(self) -> "CLIPConfig":
        """Return it with standardized embeddings of texts, if its texts are to be."""
        if isinstance(self.text, RelativeBertConfig) and self.text.standardizable:
            return replace(self, text=replace(self.text, standardized=True))
        return self

    @property
    def activation(self) -> Activation | None:
        """That of the text tower, else of the image tower; None for a ResNet."""
        tower = self.text or self.vision
        if not isinstance(tower, TransformerConfig) or tower.activation == "relu":
            return None
        return tower.activation


def list_options(config: Any, group: str = "") -> Iterator[tuple[str, Any, Any]]:
    """List name, value and default of all options, with nested names such as "pool.kind"."""
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(field.default):
            yield from list_options(value, f"{group}{field.name}.")
        else:
            yield f"{group}{field.name}", value, field.default
