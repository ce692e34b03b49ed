"""BERT whose positions enter its attention: by rotary embeddings, or by a bias for the distance of two tokens (ALiBi).

The text towers of jina-clip-v2 (as `JinaEmbeddingsV3Model` in transformers) and jina-clip-v1, and nomic-embed-text (as
`NomicBertModel` in transformers). Tensors have the names of BERT's here: see `numpyclip.model.text.bert`.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.layers import LayerNorm, Linear
from numpyclip.model.ops import Array
from numpyclip.model.rope import TextRope
from numpyclip.model.text.bert import SumNormBlock
from numpyclip.model.text.encoder_configs import RelativeBertConfig
from numpyclip.model.text.encoder_parts import head_tensors, mask_within, mean_of_shown, read_head, without_padding
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.token_stages import TokenStage, TokenStages, as_rows
from numpyclip.model.transformer import MLP, Transformer
from numpyclip.model.transformer_config import EPS
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class RelativeBert:
    """Bidirectional attention; the first token or the mean of all is pooled."""

    config: RelativeBertConfig
    token_embedding: NDArray[np.floating[Any]]  # (vocabulary, d), in the file's dtype: few rows are read
    type_embedding: Array  # (d,)
    ln_pre: LayerNorm
    transformer: Transformer
    text_projection: Linear | MLP | None

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: RelativeBertConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower."""
        d = config.width
        yield "token_embedding.weight", (config.vocab_size, d)
        if config.token_types:
            yield "token_type_embedding", (config.token_types, d)
        yield from expected.norm("ln_pre", d)
        yield from expected.transformer(checkpoint, "transformer", config)
        yield from head_tensors(checkpoint, config, embed_dim)

    @classmethod
    def read(cls, weights: WeightReader, config: RelativeBertConfig) -> "RelativeBert":
        """Read the weights of this tower."""
        rope = TextRope.make(config.rotary, config.width // config.heads) if config.rotary else None
        return cls(
            config,
            *weights.derive("embedding", partial(_prepare_embedding, config=config)),
            LayerNorm.read(weights, "ln_pre", config.eps),
            Transformer.read(weights, "transformer", config, SumNormBlock, rope),
            read_head(weights, config),
        )

    @property
    def output_dim(self) -> int:
        """Length of embeddings."""
        return self.text_projection.output_dim if self.text_projection else self.config.width

    def __call__(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (b, e)
        return without_padding(self._embed, ids, self.config, self.output_dim)

    @property
    def stages(self) -> TokenStages:
        """What its tokens go through."""
        projected_from = 0 if self.text_projection else None
        return TokenStages(layers=self.config.layers, has_norm=False, projected_from=projected_from)

    def tokens(self, ids: NDArray[np.integer], stage: TokenStage) -> Array:
        """Compute all tokens, padding included, which no token attends to: (b, n) -> (b, n, d)."""
        x = self.transformer(self._enter(ids), self._layout(ids, mask_within(ids, self.config.pad_id)), stage.layer)
        return as_rows(self._finish(x) if stage.project else x, len(ids))

    def attention(self, ids: NDArray[np.integer], index: int) -> Array:
        """Compute how much each token attends to each in one block: (b, n) -> (b, h, n, n)."""
        layout = self._layout(ids, mask_within(ids, self.config.pad_id))
        return self.transformer.attention(self._enter(ids), layout, index)

    def _enter(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (d, b n)
        x = self.token_embedding[ids].astype(np.float32) + self.type_embedding  # (b, n, d)
        return self.ln_pre(np.ascontiguousarray(x.reshape(ids.size, -1).T))

    def _layout(self, ids: NDArray[np.integer], hidden: Array | None = None) -> TokenLayout:
        mask = hidden
        if self.config.alibi:
            bias = alibi(self.config.heads, ids.shape[1])
            mask = bias if hidden is None else bias + hidden
        return TokenLayout(len(ids), mask=mask)

    def _finish(self, x: Array) -> Array:
        """Apply what comes after the pooled token: (d, n) -> (e, n)."""
        if self.text_projection is not None:
            x = self.text_projection(x)
        return ops.standardize(x, EPS) if self.config.standardized else x

    def _embed(self, ids: NDArray[np.integer]) -> Array:
        b, n = ids.shape
        hidden = mask_within(ids, self.config.pad_id) if self.config.hides_padding else None
        x = self.transformer(self._enter(ids), self._layout(ids, hidden))
        y = mean_of_shown(x, b, hidden) if self.config.pool == "mean" else x.reshape(len(x), b, n)[:, :, 0]  # (d, b)
        embeddings: Array = self._finish(y).T
        return embeddings


def alibi(heads: int, tokens: int) -> Array:
    """Return what is added to the scores of two tokens for their distance (Press et al., 2022): (h, 1, n, n)."""
    places = np.arange(tokens, dtype=np.float32)
    distances = np.abs(places[:, np.newaxis] - places)
    bias: Array = -np.array(_slopes(heads), np.float32).reshape(-1, 1, 1, 1) * distances
    return bias


def _slopes(heads: int) -> list[float]:
    """Return the factor of each head: a geometric series for a power of 2, else with every other one of the next."""
    power = 2 ** int(math.log2(heads))
    slopes = [2 ** (-8 * (head + 1) / power) for head in range(power)]
    return slopes if heads == power else slopes + _slopes(2 * power)[::2][: heads - power]


def _prepare_embedding(checkpoint: Checkpoint, config: RelativeBertConfig) -> tuple[NDArray[np.floating[Any]], Array]:
    types = checkpoint.copy("token_type_embedding")[0] if config.token_types else np.zeros(config.width, np.float32)
    return checkpoint.table("token_embedding.weight"), types
