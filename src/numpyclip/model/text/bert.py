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
from numpyclip.model.config import BertConfig
from numpyclip.model.layers import LayerNorm, Linear, fold_norm
from numpyclip.model.ops import Array
from numpyclip.model.text.encoder_parts import (
    head_tensors,
    mask_within,
    mean_of_shown,
    padding_last,
    read_head,
    without_padding,
)
from numpyclip.model.token_layout import TokenLayout
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
    positional_embedding: Array  # (n, d), with the embedding of the token type
    ln_pre: LayerNorm
    transformer: Transformer
    pooler: Linear | None
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
            read_head(weights, config) if config.end_width is None else _read_two_layers(weights),
        )

    @property
    def output_dim(self) -> int:
        return self.text_projection.output_dim if self.text_projection else self.config.width

    def __call__(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (b, e)
        if self.config.first_place:  # RoBERTa's positions count the tokens that are no padding
            ids = padding_last(ids, self.config.pad_id)
        return without_padding(self._embed, ids, self.config, self.output_dim)

    def _embed(self, ids: NDArray[np.integer]) -> Array:
        b, n = ids.shape
        x = self.token_embedding[ids].astype(np.float32) + self.positional_embedding[:n]  # (b, n, d)
        x = self.ln_pre(np.ascontiguousarray(x.reshape(b * n, -1).T))
        if self.config.pool == "mean":
            mask = mask_within(ids, self.config.pad_id)
            y = mean_of_shown(self.transformer(x, TokenLayout(b, mask=mask)), b, mask)  # (d, b)
        else:
            mask = mask_within(ids, self.config.pad_id)
            y = self.transformer.pooled(x, TokenLayout(b, mask=mask, pooled=np.zeros(b, int)))
        if self.pooler is not None:
            y = np.tanh(self.pooler(y))
        if self.config.end_width is not None:
            y = ops.standardize(y, self.config.eps)
        embeddings: Array = (self.text_projection(y) if self.text_projection else y).T
        return embeddings


def _read_two_layers(weights: WeightReader) -> Linear:
    """Fold a norm, a layer and a projection into one layer."""

    def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
        projection = checkpoint.take("text_projection.weight")
        weight: Array = projection @ checkpoint.take("end.weight")
        bias: Array = projection @ checkpoint.take("end.bias")
        fold_norm(checkpoint, "ln_final", weight, bias)
        return weight, bias

    return Linear(*weights.derive("text_projection", prepare))


def _prepare_embedding(checkpoint: Checkpoint, config: BertConfig) -> tuple[NDArray[np.floating[Any]], Array]:
    positions = checkpoint.copy("positional_embedding")[config.first_place :]
    if config.token_types:
        positions += checkpoint.take("token_type_embedding")[0]
    return checkpoint.table("token_embedding.weight"), positions
