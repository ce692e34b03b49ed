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

# What speaks for a picture, after the last block: the class token; the mean of the patches; a query that looks at all
# of them, with an MLP behind it ("map", as in SigLIP); the first of many queries, without one ("attn", as in CoCa).
VisionPool: TypeAlias = Literal["tok", "avg", "map", "attn"]

# Which token speaks for a text: that of the highest id, the first end mark, the last one, the first one; or one of the
# model's own, which stands behind all others, and sees those of the text ("cls", as in CoCa).
TextPool: TypeAlias = Literal["argmax", "eos", "last", "first", "cls"]


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

    `norm_after_pool` says that the last norm is that of the pooled token, not of every token. Only the pool "attn" has
    `queries` and `pool_heads`.
    """

    image_size: int
    patch_size: int
    patch_bias: bool = False
    class_token: bool = True
    norm_before: bool = True
    pool: VisionPool = "tok"
    norm_after_pool: bool = False
    projection: bool = True
    queries: int = 0
    pool_heads: int = 0

    @property
    def columns(self) -> int:
        """Tokens of a picture."""
        return (self.image_size // self.patch_size) ** 2 + self.class_token

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


VisionConfig: TypeAlias = VisionTransformerConfig | ResNetConfig


@dataclass(frozen=True, kw_only=True)
class TextConfig(TransformerConfig):
    """Sizes and options of a text transformer; `context_length` in tokens.

    `causal` says that tokens look back only; `end_id` is the end mark's, which only the pool "eos" looks for; `pad_id`
    is that of padding, which only the pool "cls" has to know.
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

    def lengths(self, ids: NDArray[np.integer]) -> NDArray[np.integer]:
        """Count the tokens of each text that matter: (b, n) -> (b,)."""
        if self.has_class_token:  # one position of padding is seen: see `numpyclip.model.text`
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
class CLIPConfig:
    """Sizes and options of a whole model.

    `family` names the kind of model, and whose description it follows; `sigmoid` says that every pair of a picture and
    a text is scored by itself (SigLIP), not in comparison with others. Only CoCa has a `decoder`.
    """

    family: str
    embed_dim: int
    vision: VisionConfig
    text: TextConfig
    preprocess: Preprocess
    sigmoid: bool = False
    decoder: DecoderConfig | None = None
