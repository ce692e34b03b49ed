"""The encoder of M2M100 (Fan et al., 2020), as `M2M100Encoder` in transformers' models/m2m_100/modeling_m2m_100.py.

NLLB (Costa-jussà et al., 2022) is one. Positions are sinusoids, which no file holds. Tensors have the names of a text
transformer's, and are at the root of the checkpoint, too.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.layers import Affine, Linear
from numpyclip.model.ops import Array
from numpyclip.model.text.encoder_configs import M2M100Config
from numpyclip.model.text.encoder_parts import (
    count_shown,
    head_tensors,
    mask_within,
    mean_of_tokens,
    padding_last,
    read_head,
    without_padding,
)
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.token_stages import TokenStage, TokenStages, as_rows
from numpyclip.model.transformer import MLP, Transformer
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class M2M100:
    """Bidirectional attention; the first token, that of the language, or the mean of all is pooled."""

    config: M2M100Config
    token_embedding: NDArray[np.floating[Any]]  # (vocabulary, d), in the file's dtype: few rows are read
    transformer: Transformer
    ln_final: Affine
    text_projection: Linear | MLP | None

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: M2M100Config, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower."""
        yield "token_embedding.weight", (config.vocab_size, config.width)
        yield from expected.transformer(checkpoint, "transformer", config)
        yield from expected.norm("ln_final", config.width)
        yield from head_tensors(checkpoint, config, embed_dim)

    @classmethod
    def read(cls, weights: WeightReader, config: M2M100Config) -> "M2M100":
        """Read the weights of this tower."""
        (embedding,) = weights.derive("embedding", lambda checkpoint: (checkpoint.table("token_embedding.weight"),))
        return cls(
            config,
            embedding,
            Transformer.read(weights, "transformer", config),
            Affine.read(weights, "ln_final"),
            read_head(weights, config),
        )

    @property
    def output_dim(self) -> int:
        return self.text_projection.output_dim if self.text_projection else self.config.width

    def __call__(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (b, e)
        ids = padding_last(ids, self.config.pad_id)  # positions count the other tokens
        return without_padding(self._embed, ids, self.config, self.output_dim)

    @property
    def stages(self) -> TokenStages:
        """What its tokens go through."""
        return TokenStages(layers=self.config.layers, projected_from=0 if self.text_projection else None)

    def tokens(self, ids: NDArray[np.integer], stage: TokenStage) -> Array:
        """Compute all tokens, padding included, which no token attends to: (b, n) -> (b, n, d)."""
        x = self.transformer(self._enter(ids), self._layout(ids), stage.layer)
        if stage.norm or stage.project:
            x = self.ln_final(ops.standardize(x, self.config.eps))
        return as_rows(self.text_projection(x) if self.text_projection and stage.project else x, len(ids))

    def attention(self, ids: NDArray[np.integer], index: int) -> Array:
        """Compute how much each token attends to each in one block: (b, n) -> (b, h, n, n)."""
        return self.transformer.attention(self._enter(ids), self._layout(ids), index)

    def _enter(self, ids: NDArray[np.integer]) -> Array:
        """Embed tokens and their positions, of which padding has none: (b, n) -> (d, b n)."""
        x = self.token_embedding[ids].astype(np.float32)  # (b, n, d)
        if self.config.scaled:
            x *= np.float32(math.sqrt(self.config.width))
        positions = sinusoids(self.config.pad_id, ids.shape[1] + 1, self.config.width)
        positions[0] = 0
        x += positions[count_shown(ids, self.config.pad_id)]
        return np.ascontiguousarray(x.reshape(ids.size, -1).T)

    def _layout(self, ids: NDArray[np.integer]) -> TokenLayout:
        return TokenLayout(len(ids), mask=mask_within(ids, self.config.pad_id))

    def _embed(self, ids: NDArray[np.integer]) -> Array:
        b = len(ids)
        x = self._enter(ids)
        if self.config.pool == "mean":
            y = ops.standardize(self.transformer(x, TokenLayout(b)), self.config.eps)
            y = mean_of_tokens(y, b)  # (d, b)
        else:
            y = self.transformer.pooled(x, TokenLayout(b, pooled=np.zeros(b, int)))
            y = ops.standardize(y, self.config.eps)
        y = self.ln_final(y)
        embeddings: Array = (self.text_projection(y) if self.text_projection else y).T
        return embeddings


def sinusoids(first: int, count: int, width: int) -> Array:
    """Return the embeddings of so many positions from the first: (count, width), sines and then cosines."""
    half = width // 2
    frequencies = np.exp(np.arange(half, dtype=np.float32) * np.float32(-math.log(10000) / (half - 1)))
    angles = np.arange(first, first + count, dtype=np.float32)[:, np.newaxis] * frequencies
    return np.concatenate([np.sin(angles), np.cos(angles), np.zeros((count, width % 2), np.float32)], axis=1)
