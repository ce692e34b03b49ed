"""BERT (Devlin et al., 2019) as a text tower, as `BertModel` in transformers' models/bert/modeling_bert.py.

RoBERTa (Liu et al., 2019) differs only in where its positions start, DistilBERT (Sanh et al., 2019) in that it has no
token types. Tensors have the names of a text transformer's, and are at the root of the checkpoint, too.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.layers import LayerNorm, Linear, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.text.encoder_configs import BertConfig
from numpyclip.model.text.encoder_parts import (
    count_shown,
    head_tensors,
    mask_within,
    mean_of_shown,
    padding_last,
    read_head,
    without_padding,
)
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.token_stages import TokenStage, TokenStages, as_rows
from numpyclip.model.transformer import MLP, Block, Transformer
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


class SumNormBlock(Block):
    """A residual block whose norms are applied to the sums."""

    def _add(self, x: Array, y: Array) -> Array:
        assert self.ln_1 is not None
        assert self.ln_2 is not None
        x = self.ln_1(x + y)
        return self.ln_2(x + self.mlp(x))


@dataclass(frozen=True, eq=False, repr=False)
class Bert:
    """Bidirectional attention; the first token or the mean of all is pooled."""

    config: BertConfig
    token_embedding: NDArray[np.floating[Any]]  # (vocabulary, d), in the file's dtype: few rows are read
    positional_embedding: Array  # (n, d), with the embedding of the token type; RoBERTa's has that of padding first
    ln_pre: LayerNorm
    transformer: Transformer
    pooler: Linear | None
    end: Linear | None
    text_projection: Linear | MLP | None

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: BertConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower."""
        d = config.width
        yield "token_embedding.weight", (config.vocab_size, d)
        yield "positional_embedding", (config.positions or config.first_place + config.context_length, d)
        if config.token_types:
            yield "token_type_embedding", (config.token_types, d)
        yield from expected.norm("ln_pre", d)
        yield from expected.transformer(checkpoint, "transformer", config)
        if config.pooler:
            yield from expected.linear("pooler", d, d)
        if config.end_width is None:
            yield from head_tensors(checkpoint, config, embed_dim)
        else:
            yield from expected.norm("ln_final", d)
            yield from expected.linear("end", d, config.end_width)
            yield "text_projection.weight", (embed_dim, config.end_width)

    @classmethod
    def read(cls, weights: WeightReader, config: BertConfig) -> "Bert":
        """Read the weights of this tower."""
        return cls(
            config,
            *weights.derive("embedding", partial(_prepare_embedding, config=config)),
            LayerNorm.read(weights, "ln_pre", config.eps),
            Transformer.read(weights, "transformer", config, SumNormBlock),
            Linear.read(weights, "pooler") if config.pooler else None,
            Linear.read(weights, "end", norm="ln_final") if config.end_width else None,
            read_projection(weights, "text_projection") if config.end_width else read_head(weights, config),
        )

    @property
    def output_dim(self) -> int:
        return self.text_projection.output_dim if self.text_projection else self.config.width

    def __call__(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (b, e)
        if self.config.first_place:  # RoBERTa's positions count the tokens that are no padding
            ids = padding_last(ids, self.config.pad_id)
        return without_padding(self._embed, ids, self.config, self.output_dim)

    @property
    def stages(self) -> TokenStages:
        """What its tokens go through; the layer at the end belongs to the norm."""
        return TokenStages(
            layers=self.config.layers,
            has_norm=self.end is not None,
            projected_from=0 if self.text_projection and not self.pooler else None,
        )

    def tokens(self, ids: NDArray[np.integer], stage: TokenStage) -> Array:
        """Compute all tokens, padding included, which no token attends to: (b, n) -> (b, n, d)."""
        x = self.transformer(self._enter(ids), self._layout(ids), stage.layer)
        return as_rows(self._finish(x, stage.project) if stage.norm or stage.project else x, len(ids))

    def attention(self, ids: NDArray[np.integer], index: int) -> Array:
        """Compute how much each token attends to each in one block: (b, n) -> (b, h, n, n)."""
        return self.transformer.attention(self._enter(ids), self._layout(ids), index)

    def _enter(self, ids: NDArray[np.integer]) -> Array:
        """Embed tokens, their positions and their type: (b, n) -> (d, b n)."""
        places = count_shown(ids, self.config.pad_id) if self.config.first_place else np.arange(ids.shape[1])
        x = self.token_embedding[ids].astype(np.float32) + self.positional_embedding[places]  # (b, n, d)
        return self.ln_pre(np.ascontiguousarray(x.reshape(ids.size, -1).T))

    def _layout(self, ids: NDArray[np.integer]) -> TokenLayout:
        return TokenLayout(len(ids), mask=mask_within(ids, self.config.pad_id))

    def _finish(self, x: Array, project: bool = True) -> Array:
        """Apply what comes after the pooled token: (d, n) -> (e, n)."""
        if self.end is not None:
            x = self.end(ops.standardize(x, self.config.eps))
        return self.text_projection(x) if self.text_projection and project else x

    def _embed(self, ids: NDArray[np.integer]) -> Array:
        b = len(ids)
        x = self._enter(ids)
        if self.config.pool == "mean":
            mask = mask_within(ids, self.config.pad_id)
            y = mean_of_shown(self.transformer(x, TokenLayout(b, mask=mask)), b, mask)  # (d, b)
        else:
            mask = mask_within(ids, self.config.pad_id)
            y = self.transformer.pooled(x, TokenLayout(b, mask=mask, pooled=np.zeros(b, int)))
        if self.pooler is not None:
            y = np.tanh(self.pooler(y))
        embeddings: Array = self._finish(y).T
        return embeddings


def _prepare_embedding(checkpoint: Checkpoint, config: BertConfig) -> tuple[NDArray[np.floating[Any]], Array]:
    positions = checkpoint.copy("positional_embedding")[max(config.first_place - 1, 0) :]
    if config.token_types:
        positions += checkpoint.take("token_type_embedding")[0]
    return checkpoint.table("token_embedding.weight"), positions
