"""Sizes and options of a model: what a checkpoint's shapes, or the description beside it, have been found to say.

Nothing here reads anything: `numpyclip.families` finds these values.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.images.preprocess import Preprocess
from numpyclip.weights.checkpoint import Activation

EPS = 1e-5  # what norms add, unless a description says otherwise
RESNET_STRIDE = 32  # pixels of the picture behind one position of the last feature map
FASTVIT_HEAD_WIDTH = 32

# What speaks for a picture, after the last block: the class token; the mean of the patches; a query that looks at all
# of them, with an MLP behind it ("map", as in SigLIP); the first of many queries, without one ("attn", as in CoCa).
VisionPool: TypeAlias = Literal["tok", "avg", "map", "attn"]

# Which of queries, keys and values have a bias of their own.
Biased: TypeAlias = Literal["qkv", "qv", ""]

# Which token speaks for a text: that of the highest id, the first end mark, the last one, the first one; or one of the
# model's own, which stands behind all others, and sees those of the text ("cls", as in CoCa).
TextPool: TypeAlias = Literal["argmax", "eos", "last", "first", "cls"]


@dataclass(frozen=True, kw_only=True)
class RopeConfig:
    """Where the patches of a picture lie, for rotary embeddings (Su et al., 2021) of rows and columns.

    Their `side` by `side` patches are laid over those of the `reference` that the model was first trained with, and
    counted from `offset`. `columns_first` says that the first half of a head's channels turns with the column.
    """

    side: int
    reference: int
    offset: int = 0
    columns_first: bool = False


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes and options of a stack of residual blocks.

    `eps` is what its norms add; `layer_scale` says that what a block adds is scaled, channel by channel; `post_norm`
    that it is normed, instead of what the block takes in; `sub_norm` that there is a norm before the last matrix of
    an attention or MLP; `gated` that the MLP is a SwiGLU (Shazeer, 2020).
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
class VisionTransformerConfig(TransformerConfig):
    """Sizes and options of a vision transformer; `image_size` and `patch_size` in pixels.

    `stem_width` is that of the convolutions before the patches' own, if any; `stem_border` says that they see pictures
    one pixel further to the right and down, behind a border of zeros; `class_position` that the class token has a
    place, too; `norm_after_pool` that the last norm is that of the pooled token, not of every token; `pool_heads` and
    `pool_mlp_width` are those of the pools "map" and "attn" where they are not the blocks', and only "attn" has
    `queries`; `projection_mlp` says that the projection is an MLP, in the middle twice as wide as an embedding;
    `flexible` that pictures of any shape are taken, whose places are resized from those of a square one.
    """

    image_size: int
    patch_size: int
    stem_width: int | None = None
    stem_border: bool = False
    patch_bias: bool = False
    class_token: bool = True
    class_position: bool = True
    norm_before: bool = True
    pool: VisionPool = "tok"
    pool_heads: int | None = None
    pool_mlp_width: int | None = None
    norm_after_pool: bool = False
    projection: bool = True
    projection_mlp: bool = False
    flexible: bool = False
    queries: int = 0

    @property
    def columns(self) -> int:
        """Tokens of a picture."""
        return (self.image_size // self.patch_size) ** 2 + self.class_token

    @property
    def map_pool(self) -> TransformerConfig:
        """The pool "map": one block, whose query is learned."""
        return TransformerConfig(
            width=self.width,
            layers=1,
            heads=self.pool_heads or self.heads,
            mlp_width=self.pool_mlp_width or self.mlp_width,
            activation=self.activation,
            eps=self.eps,
        )

    @property
    def described(self) -> int:
        """Tokens that a decoder looks at: all but the one that speaks for the picture."""
        return self.queries - 1 if self.pool == "attn" else self.columns - self.class_token


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

    `causal` says that tokens look back only; `end_id` is the end mark's, which only the pool "eos" looks for; `pad_id`
    is that of padding.
    """

    context_length: int
    vocab_size: int
    causal: bool = True
    pool: TextPool = "argmax"
    end_id: int | None = None
    pad_id: int = 0
    projection: bool = True

    @property
    def has_class_token(self) -> bool:
        """Whether a token of the model's own speaks for a text."""
        return self.pool == "cls"

    @property
    def least_length(self) -> int:
        """Tokens that a text must have.

        All, with its padding, where tokens look ahead, and so at the padding; or where a class token stands behind it.
        """
        return 1 if self.causal and not self.has_class_token else self.context_length

    def lengths(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Count the tokens of each text that matter: (b, n) -> (b,)."""
        if self.has_class_token:  # one position of padding is seen: see `numpyclip.model.text.transformer`
            is_text = ids != self.pad_id
            end = np.where(is_text.any(axis=1), ids.shape[1] - is_text[:, ::-1].argmax(axis=1), 0)
            seen: NDArray[np.integer] = np.minimum(end + 1, ids.shape[1])
            return seen
        return self.ends(ids) + 1 if self.causal else np.full(len(ids), ids.shape[1])

    def ends(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Find the token that speaks for each text: (b, n) -> (b,). The model's own would be the next one."""
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
    """Sizes and options of a BERT, or a RoBERTa, whose tokens look both ways, but not at padding.

    `token_types` is the number of kinds of tokens, of which texts have the first only; `first_place` that of places in
    the table before the first one in use; `end_width` that of a layer between blocks and projection, if any.
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
    other tower alone; `sigmoid` says that every pair of a picture and a text is scored by itself (SigLIP), not in
    comparison with others. Only CoCa has a `decoder`.
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
        """That of texts, or of pictures where there are no texts; None for a ResNet."""
        tower = self.text or self.vision
        return tower.activation if isinstance(tower, TransformerConfig) else None
