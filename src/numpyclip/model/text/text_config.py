"""Sizes and options of text transformers."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.model.transformer_config import Projection, TransformerConfig

# The pooled token of a text: that of the highest id, the first end-of-text token, the last token, the first token; or a
# class token, which comes last and attends to those of the text ("cls", as in CoCa). Or the mean of all but padding.
TextPool: TypeAlias = Literal["argmax", "eos", "last", "first", "cls", "mean"]


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
        """Minimum length of ids: padding cannot be left out with bidirectional attention or a class token after it."""
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

    def standardize(self) -> "TextConfig":
        """Return it with standardized embeddings, if they are to be where they are truncated."""
        return self


@dataclass(frozen=True, kw_only=True)
class MCTConfig(TextConfig):
    """Sizes and options of a text transformer between two convolution blocks, over `kernel_size` tokens."""

    causal: bool = False
    kernel_size: int = 11
