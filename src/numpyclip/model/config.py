"""Sizes and options of a model: what a checkpoint's shapes, or the description beside it, have been found to say.

Nothing here reads anything: `numpyclip.families` finds these values.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.images.preprocess import Preprocess
from numpyclip.weights.checkpoint import Activation

EPS = 1e-5  # what norms add, unless a description says otherwise
RESNET_STRIDE = 32  # pixels of the image behind one position of the last feature map
FASTVIT_HEAD_WIDTH = 32

# What stands for an image, after the last block: the class token; the mean of the patches; a query that attends to all
# of them, followed by an MLP ("map", as in SigLIP); the first of many queries, without one ("attn", as in CoCa).
VisionPool: TypeAlias = Literal["tok", "avg", "map", "attn"]

# What makes an embedding of the pooled token: a matrix, or an MLP that is twice as wide in the middle.
Projection: TypeAlias = Literal["linear", "mlp"]

# Which of queries, keys and values have a bias of their own.
Biased: TypeAlias = Literal["qkv", "qv", ""]

# The pooled token of a text: that of the highest id, the first end-of-text token, the last one, the first one; or a
# class token, which comes after all others and attends to those of the text ("cls", as in CoCa).
TextPool: TypeAlias = Literal["argmax", "eos", "last", "first", "cls"]


@dataclass(frozen=True, kw_only=True)
class RopeConfig:
    """Positions of the patches of an image, for rotary embeddings (Su et al., 2021) of rows and columns.

    The `side` by `side` patches are scaled to the `reference` grid that the model was first trained with, and counted
    from `offset`. `columns_first` says that the first half of a head's channels encodes the column.
    """

    side: int
    reference: int
    offset: int = 0
    columns_first: bool = False


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes and options of a stack of residual blocks.

    `eps` is the epsilon of its norms; `layer_scale` says that a block's output is scaled, channel by channel;
    `post_norm` that norms come after attention and MLP, not before; `sub_norm` that there is a norm before the last
    matrix of an attention or MLP; `gated` that the MLP is a SwiGLU (Shazeer, 2020).
    """

    width: int
    layers: int
    heads: int
    mlp_width: int
    activation: Activation
    eps: float = EPS
    layer_scale: bool = False
    biased: Biased = "qkv"
    rope: RopeConfig | None = None
    gated: bool = False
    sub_norm: bool = False
    post_norm: bool = False


@dataclass(frozen=True, kw_only=True)
class StemConfig:
    """How pixels become the features of patches.

    `width` is that of the convolutions before the patches' own, if there are any; `zero_padding` says that they see the
    image moved by one pixel to the right and down, behind zeros; `patch_bias` that the patches' own has a bias.
    """

    width: int | None = None
    zero_padding: bool = False
    patch_bias: bool = False


@dataclass(frozen=True, kw_only=True)
class PoolConfig:
    """How tokens become one, by the pool of this `kind`.

    `heads` and `mlp_width` are those of "map" and "attn", where they are not the blocks'; only "attn" has `queries`.
    `norm_after` says that the last norm is that of the pooled token, not of every token.
    """

    kind: VisionPool = "tok"
    heads: int | None = None
    mlp_width: int | None = None
    norm_after: bool = False
    queries: int = 0


@dataclass(frozen=True, kw_only=True)
class VisionTransformerConfig(TransformerConfig):
    """Sizes and options of a vision transformer; `image_size` and `patch_size` in pixels.

    `class_position` says that the class token has a positional embedding, too; `norm_before` that there is a norm
    before the first block; `flexible` that images of any shape are taken, for which the positional embeddings of a
    square one are resized.
    """

    image_size: int
    patch_size: int
    stem: StemConfig = StemConfig()
    class_token: bool = True
    class_position: bool = True
    norm_before: bool = True
    pool: PoolConfig = PoolConfig()
    projection: Projection | None = "linear"
    flexible: bool = False

    @property
    def tokens(self) -> int:
        """Tokens of an image: its patches, and the class token if there is one."""
        return (self.image_size // self.patch_size) ** 2 + self.class_token

    @property
    def cost(self) -> int:
        """What embedding an image costs, in tokens: see `numpyclip.runtime.chunks`."""
        return self.tokens

    @property
    def map_pool(self) -> TransformerConfig:
        """The pool "map": one block, whose query is learned."""
        return TransformerConfig(
            width=self.width,
            layers=1,
            heads=self.pool.heads or self.heads,
            mlp_width=self.pool.mlp_width or self.mlp_width,
            activation=self.activation,
            eps=self.eps,
        )

    @property
    def described(self) -> int:
        """Tokens that a decoder attends to: all but the pooled one."""
        return self.pool.queries - 1 if self.pool.kind == "attn" else self.tokens - self.class_token


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """Sizes of a modified ResNet; `image_size` in pixels, `layers` counts the blocks of its four stages."""

    image_size: int
    width: int
    layers: tuple[int, int, int, int]
    heads: int

    @property
    def cost(self) -> int:
        """Pixels of an image in the second of the four stages."""
        return (self.image_size // 8) ** 2


@dataclass(frozen=True, kw_only=True)
class ConvNeXtConfig:
    """Sizes and options of a ConvNeXt; `image_size` in pixels.

    `layers` counts the blocks of its four stages, `widths` their channels; `eps` is the epsilon of its norms;
    `mlp_head` says that an MLP, not one matrix, makes the embedding.
    """

    image_size: int
    layers: tuple[int, ...]
    widths: tuple[int, ...]
    eps: float
    mlp_head: bool

    @property
    def cost(self) -> int:
        """Pixels of an image in the third of the four stages, where most of the work is done."""
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
    def cost(self) -> int:
        """Pixels of an image in the third stage, where most of the work is done."""
        return (self.image_size // 16) ** 2

    def has_attention(self, stage: int) -> bool:
        """Whether pixels attend to each other in a stage, counted from 0."""
        return stage >= 3


VisionConfig: TypeAlias = VisionTransformerConfig | ResNetConfig | ConvNeXtConfig | FastViTConfig


@dataclass(frozen=True, kw_only=True)
class TextConfig(TransformerConfig):
    """Sizes and options of a text transformer; `context_length` in tokens.

    `causal` says that attention is causal; `end_id` is that of the end-of-text token, which only the pool "eos" looks
    for; `pad_id` is that of padding.
    """

    context_length: int
    vocab_size: int
    causal: bool = True
    pool: TextPool = "argmax"
    end_id: int | None = None
    pad_id: int = 0
    projection: Literal["linear"] | None = "linear"

    @property
    def has_class_token(self) -> bool:
        """Whether a class token is pooled."""
        return self.pool == "cls"

    @property
    def least_length(self) -> int:
        """Tokens that a text must have.

        All, padding included, where attention is not causal, or a class token follows the padding.
        """
        return 1 if self.causal and not self.has_class_token else self.context_length

    def lengths(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Count the tokens of each text that matter: (b, n) -> (b,)."""
        if self.has_class_token:  # one position of padding is seen: see `numpyclip.model.text.text_transformer`
            is_text = ids != self.pad_id
            end = np.where(is_text.any(axis=1), ids.shape[1] - is_text[:, ::-1].argmax(axis=1), 0)
            seen: NDArray[np.integer] = np.minimum(end + 1, ids.shape[1])
            return seen
        return self.ends(ids) + 1 if self.causal else np.full(len(ids), ids.shape[1])

    def ends(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Find the pooled token of each text: (b, n) -> (b,). A class token would be the next one."""
        if self.pool in ("argmax", "eos"):
            ends: NDArray[np.integer] = (ids if self.pool == "argmax" else ids == self.end_id).argmax(axis=1)
            return ends
        return np.full(len(ids), {"first": 0, "last": ids.shape[1] - 1, "cls": ids.shape[1]}[self.pool])


@dataclass(frozen=True, kw_only=True)
class DecoderConfig(TransformerConfig):
    """Sizes and options of a decoder, which writes captions.

    `context_length` in tokens; `pad_id` is that of the padding behind a caption.
    """

    context_length: int
    pad_id: int = 0


@dataclass(frozen=True, kw_only=True)
class BertConfig(TextConfig):
    """Sizes and options of a BERT, or a RoBERTa, whose attention is bidirectional, and ignores padding.

    `token_types` is the number of token types, of which texts have the first only; `first_place` that of unused
    positions at the start of the table; `end_width` the width of a layer between blocks and projection, if any.
    """

    causal: bool = False
    pool: TextPool = "first"
    post_norm: bool = True  # there is none before the weights; what blocks norm are sums
    token_types: int = 1
    first_place: int = 0
    end_width: int | None = None

    @property
    def least_length(self) -> int:
        """Tokens that a text must have, be it without padding."""
        return 1

    def lengths(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Count the tokens of each text before its padding: (b, n) -> (b,)."""
        is_padding = np.cumprod(ids[:, ::-1] == self.pad_id, axis=1)
        lengths: NDArray[np.integer] = np.maximum(ids.shape[1] - is_padding.sum(axis=1), 1)
        return lengths


@dataclass(frozen=True, kw_only=True)
class MCTConfig(TextConfig):
    """Sizes and options of a text transformer between two blocks of convolutions over `kernel_size` tokens."""

    causal: bool = False
    kernel_size: int = 11


@dataclass(frozen=True, kw_only=True)
class CLIPConfig:
    """Sizes and options of a whole model.

    `family` names the kind of model, and whose description it follows; `vision` or `text` is None where a model has the
    other tower alone; `sigmoid` says that pairs of image and text are scored independently (SigLIP), not by a
    softmax over texts. Only CoCa has a `decoder`.
    """

    family: str
    embed_dim: int
    vision: VisionConfig | None
    text: TextConfig | None
    preprocess: Preprocess
    sigmoid: bool = False
    decoder: DecoderConfig | None = None

    @property
    def activation(self) -> Activation | None:
        """That of texts, or of images where there are no texts; None for a ResNet."""
        tower = self.text or self.vision
        return tower.activation if isinstance(tower, TransformerConfig) else None


def list_options(config: Any, group: str = "") -> Iterator[tuple[str, Any, Any]]:
    """List name, value and default of all options; those in groups, such as "pool.kind", one by one."""
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(field.default):
            yield from list_options(value, f"{field.name}.")
        else:
            yield f"{group}{field.name}", value, field.default
