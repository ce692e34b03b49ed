"""Sizes and options of a model: what a checkpoint's shapes, or the description beside it, have been found to say.

Nothing here reads anything: `numpyclip.families` finds these values.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.image import Preprocess
from numpyclip.weights.checkpoint import Activation

EPS = 1e-5  # what norms add, unless a description says otherwise
RESNET_STRIDE = 32  # pixels of the picture behind one position of the last feature map
FASTVIT_HEAD_WIDTH = 32

# What speaks for a picture, after the last block: the class token; the mean of the patches; a query that looks at all
# of them, with an MLP behind it ("map", as in SigLIP).
VisionPool: TypeAlias = Literal["tok", "avg", "map"]

# Which token speaks for a text: that of the highest id, the first end mark, the last one, the first one.
TextPool: TypeAlias = Literal["argmax", "eos", "last", "first"]


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes and options of a stack of residual blocks.

    `eps` is what its norms add; `layer_scale` says that what a block adds is scaled, channel by channel.
    """

    width: int
    layers: int
    heads: int
    mlp_width: int
    activation: Activation
    eps: float = EPS
    layer_scale: bool = False


@dataclass(frozen=True, kw_only=True)
class VisionTransformerConfig(TransformerConfig):
    """Sizes and options of a vision transformer; `image_size` and `patch_size` in pixels.

    `norm_after_pool` says that the last norm is that of the pooled token, not of every token.
    """

    image_size: int
    patch_size: int
    patch_bias: bool = False
    class_token: bool = True
    norm_before: bool = True
    pool: VisionPool = "tok"
    norm_after_pool: bool = False
    projection: bool = True

    @property
    def columns(self) -> int:
        """Tokens of a picture."""
        return (self.image_size // self.patch_size) ** 2 + self.class_token


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """Sizes of a modified ResNet; `image_size` in pixels, `layers` counts the blocks of its four stages."""

    image_size: int
    width: int
    layers: tuple[int, int, int, int]
    heads: int

    @property
    def columns(self) -> int:
        """Pixels of a picture in the second of the four stages."""
        return (self.image_size // 8) ** 2


@dataclass(frozen=True, kw_only=True)
class ConvNeXtConfig:
    """Sizes and options of a ConvNeXt; `image_size` in pixels.

    `layers` counts the blocks of its four stages, `widths` their channels; `eps` is what its norms add; `mlp_head` says
    that an MLP, not one matrix, makes the embedding.
    """

    image_size: int
    layers: tuple[int, ...]
    widths: tuple[int, ...]
    eps: float
    mlp_head: bool

    @property
    def columns(self) -> int:
        """Pixels of a picture in the third of the four stages, where most of the work is done."""
        return (self.image_size // 16) ** 2


@dataclass(frozen=True, kw_only=True)
class FastViTConfig:
    """Sizes and options of a FastViT; `image_size` in pixels.

    `layers` counts the blocks of its four or five stages, `widths` their channels, `mlp_ratio` times as many inside of
    an MLP. From the fourth on, stages have attention. `stem_scale` says that the stem has branches of one pixel,
    `squeeze` that the third and fourth stages weigh their channels as they begin, `layer_norm` that a layer norm, not a
    batch norm, stands before attention, `mlp_head` that an MLP, not one matrix, makes the embedding.
    """

    image_size: int
    layers: tuple[int, ...]
    widths: tuple[int, ...]
    mlp_ratio: int
    stem_scale: bool
    squeeze: bool
    layer_norm: bool
    mlp_head: bool

    @property
    def columns(self) -> int:
        """Pixels of a picture in the third stage, where most of the work is done."""
        return (self.image_size // 16) ** 2

    def has_attention(self, stage: int) -> bool:
        """Whether pixels look at each other in a stage, counted from 0."""
        return stage >= 3


VisionConfig: TypeAlias = VisionTransformerConfig | ResNetConfig | ConvNeXtConfig | FastViTConfig


@dataclass(frozen=True, kw_only=True)
class TextConfig(TransformerConfig):
    """Sizes and options of a text transformer; `context_length` in tokens.

    `causal` says that tokens look back only; `end_id` is the end mark's, which only the pool "eos" looks for.
    """

    context_length: int
    vocab_size: int
    causal: bool = True
    pool: TextPool = "argmax"
    end_id: int | None = None
    projection: bool = True

    def lengths(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Count the tokens of each text that matter: (b, n) -> (b,)."""
        return self.ends(ids) + 1 if self.causal else np.full(len(ids), ids.shape[1])

    def ends(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Find the token that speaks for each text: (b, n) -> (b,)."""
        if self.pool in ("argmax", "eos"):
            ends: NDArray[np.integer] = (ids if self.pool == "argmax" else ids == self.end_id).argmax(axis=1)
            return ends
        return np.full(len(ids), ids.shape[1] - 1 if self.pool == "last" else 0)


@dataclass(frozen=True, kw_only=True)
class CLIPConfig:
    """Sizes and options of a whole model.

    `family` names the kind of model, and whose description it follows; `sigmoid` says that every pair of a picture and
    a text is scored by itself (SigLIP), not in comparison with others.
    """

    family: str
    embed_dim: int
    vision: VisionConfig
    text: TextConfig
    preprocess: Preprocess
    sigmoid: bool = False
