"""Parts that bidirectional text encoders share: masked padding, pooling, and the head."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model.layers import Linear, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.text.encoder_configs import EncoderConfig
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.token_stages import TokenStage, TokenStages, as_rows
from numpyclip.model.transformer import MLP, Transformer
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

_HEAD = "text_projection"


@dataclass(frozen=True, eq=False, repr=False)
class Encoder(ABC):
    """Bidirectional attention; the first token or the mean of all is pooled."""

    config: EncoderConfig
    token_embedding: NDArray[np.floating[Any]]  # (vocabulary, d), in the file's dtype: few rows are read
    transformer: Transformer
    text_projection: Linear | MLP | None

    @property
    def output_dim(self) -> int:
        """Length of embeddings."""
        return self.text_projection.output_dim if self.text_projection else self.config.width

    @property
    def stages(self) -> TokenStages:
        """Layers, last norm and projection of its tokens."""
        return TokenStages(layers=self.config.layers, projected_from=0 if self.text_projection else None)

    def __call__(self, ids: NDArray[np.integer]) -> Array:
        """Embed texts, those of equal length together, without the padding at their ends: (b, n) -> (b, e)."""
        lengths = self.config.lengths(ids)
        embeddings = np.empty((len(ids), self.output_dim), np.float32)
        for length in np.unique(lengths):
            rows = lengths == length
            embeddings[rows] = self._embed(ids[rows, :length])
        return embeddings

    def tokens(self, ids: NDArray[np.integer], stage: TokenStage) -> Array:
        """Compute all tokens, those of padding included: (b, n) -> (b, n, d)."""
        x = self.transformer(self._enter(ids), self._layout(ids), stage.layer)
        if stage.norm or stage.project:
            x = self._norm(x)
        return as_rows(self._project(x) if stage.project else x, len(ids))

    def attention(self, ids: NDArray[np.integer], index: int) -> Array:
        """Compute how much each token attends to each in one block: (b, n) -> (b, h, n, n)."""
        return self.transformer.attention(self._enter(ids), self._layout(ids), index)

    def _embed(self, ids: NDArray[np.integer]) -> Array:
        x, layout = self._enter(ids), self._layout(ids)
        if self.config.pool == "mean":
            x = self._norm(self.transformer(x, layout))
            counted = (~self._is_masked(ids)).astype(np.float32)  # (b, n)
            y: Array = (x.reshape(len(x), *ids.shape) * counted).sum(axis=2) / counted.sum(axis=1)  # (d, b)
        else:
            y = self._norm(self.transformer.pooled(x, layout))
        embeddings: Array = self._project(y).T
        return embeddings

    def _layout(self, ids: NDArray[np.integer]) -> TokenLayout:
        mask, is_masked = self._bias(ids.shape[1]), self._is_masked(ids)
        if is_masked.any():
            of_padding: Array = np.where(is_masked[:, np.newaxis], np.float32(-np.inf), np.float32(0))  # (b, 1, n)
            mask = of_padding if mask is None else mask + of_padding
        return TokenLayout(len(ids), mask=mask, pooled=np.zeros(len(ids), int))

    def _is_masked(self, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Tell which tokens are padding that no token attends to, but for that of an empty text: (b, n) -> (b, n)."""
        if self.config.masks_padding:
            is_masked: NDArray[np.bool_] = ids == self.config.pad_id
            is_masked[is_masked.all(axis=1), 0] = False
        else:
            is_masked = np.arange(ids.shape[1]) >= self.config.lengths(ids)[:, np.newaxis]
        return is_masked

    @abstractmethod
    def _enter(self, ids: NDArray[np.integer]) -> Array:
        """Embed tokens: (b, n) -> (d, b n)."""

    def _bias(self, n: int) -> Array | None:
        """Return what is added to the scores of n tokens for their distances, if anything: (h, 1, n, n)."""
        return None

    def _norm(self, x: Array) -> Array:
        """Apply what is between the blocks and the pool: (d, n) -> (d, n)."""
        return x

    def _project(self, x: Array) -> Array:
        """Apply what follows the pooled token: (d, n) -> (e, n)."""
        return self.text_projection(x) if self.text_projection else x


def positions_of(ids: NDArray[np.integer], pad_id: int) -> NDArray[np.integer]:
    """Count the tokens up to each, without padding, for which it is 0: (b, n) -> (b, n)."""
    is_text = ids != pad_id
    positions: NDArray[np.integer] = np.cumsum(is_text, axis=1) * is_text
    return positions


def head_tensors(checkpoint: Checkpoint, config: EncoderConfig, embed_dim: int) -> expected.Tensors:
    """List the tensors between the pooled token and the embedding."""
    d = config.width
    if config.projection == "linear":
        yield from expected.projection(checkpoint, _HEAD, d, embed_dim)
    elif config.projection == "mlp":
        hidden = (d + embed_dim) // 2
        yield from expected.projection(checkpoint, f"{_HEAD}.c_fc", d, hidden)
        yield from expected.projection(checkpoint, f"{_HEAD}.c_proj", hidden, embed_dim)


def read_head(weights: WeightReader, config: EncoderConfig) -> Linear | MLP | None:
    """Read what is between the pooled token and the embedding, None if they are the same."""
    if config.projection == "mlp":
        c_fc, c_proj = (read_projection(weights, f"{_HEAD}.{layer}") for layer in ("c_fc", "c_proj"))
        return MLP(c_fc, c_proj, "gelu")
    return read_projection(weights, _HEAD) if config.projection else None
