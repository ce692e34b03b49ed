"""Sizes and options of image towers."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from numpyclip.images.preprocess import Size, sides_of
from numpyclip.model.transformer_config import Projection, TransformerConfig

RESNET_STRIDE = 32  # pixels of the image behind one position of the last feature map
RESNET_EXPANSION = 32  # channels of that map, over the width

FASTVIT_HEAD_WIDTH = 32

POOL_HEAD_WIDTH = 64  # of attention pooling after timm's convolutions

# What is pooled of an image: the class token; the mean of the patches; a learned query that attends to all of them,
# followed by an MLP ("map", as in SigLIP); the first of many learned queries, without an MLP ("attn", as in CoCa); the
# class token, to which what an MLP makes of a learned query's result is added ("tok_map", as in nomic-embed-vision);
# nothing: there are tokens of patches alone ("none").
VisionPool: TypeAlias = Literal["tok", "avg", "map", "attn", "tok_map", "none"]

# How a feature map is pooled: the mean of its pixels, or attention of the mean to them, with positional embeddings that
# are learned or rotary.
MapPooling: TypeAlias = Literal["avg", "abs_attn", "rot_attn"]

# How positional embeddings are resized; both are antialiased.
PositionInterpolation: TypeAlias = Literal["bilinear", "bicubic"]


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

    `heads` and `mlp_width` are those of the learned queries, if not the blocks'; only "attn" has `queries`. With
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
    position_kind: PositionInterpolation = "bilinear"
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
