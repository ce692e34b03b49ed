"""Sizes and options of bidirectional encoders, which are text towers."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numpyclip.model.text.text_config import TextConfig, TextPool
from numpyclip.model.transformer_config import TextRopeConfig


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(TextConfig):
    """Sizes and options of a bidirectional encoder. Its pools are "first" and "mean".

    No token attends to the padding at the end of a text; `masks_padding`: nor to that within it, as in open_clip.
    """

    causal: bool = False
    pool: TextPool = "first"
    masks_padding: bool = False

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
    projection, if any. Positions that are `rotary`, or a bias (`alibi`), replace the table. `standardized`: embeddings
    have mean 0 and variance 1; `standardizable`: they have where they are truncated, or compared with images.
    """

    post_norm: bool = True  # of sums
    token_types: int = 1
    first_place: int = 0
    positions: int | None = None
    pooler: bool = False
    end_width: int | None = None
    rotary: TextRopeConfig | None = None
    alibi: bool = False
    standardized: bool = False
    standardizable: bool = False

    @property
    def has_table(self) -> bool:
        """Whether positions are those of a table."""
        return self.rotary is None and not self.alibi

    def standardize(self) -> "BertConfig":
        """Return it with standardized embeddings, if they are to be where they are truncated."""
        return replace(self, standardized=self.standardized or self.standardizable)


@dataclass(frozen=True, kw_only=True)
class M2M100Config(EncoderConfig):
    """Sizes and options of the encoder of an M2M100. `scaled`: tokens are multiplied by the root of the width."""

    scaled: bool = True


@dataclass(frozen=True, kw_only=True)
class T5Config(EncoderConfig):
    """Sizes and options of the encoder of a T5 with a gated GELU.

    `head_width` does not depend on the width; relative positions fall into so many `buckets`, the last of which is for
    `max_distance` and beyond.
    """

    pool: TextPool = "mean"
    head_width: int = 64
    buckets: int = 32
    max_distance: int = 128
