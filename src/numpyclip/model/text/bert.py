"""BERT (Devlin et al., 2019) as a text tower, as `BertModel` in transformers' models/bert/modeling_bert.py.

RoBERTa (Liu et al., 2019) differs only in where its positions start, DistilBERT (Sanh et al., 2019) in that it has no
token types. Of jina-clip-v2 (as `JinaEmbeddingsV3Model` in transformers) and jina-clip-v1, and of nomic-embed-text (as
`NomicBertModel`), positions enter the attention: by rotary embeddings, or by a bias for the distance of two tokens
(ALiBi). Tensors have the names of a text transformer's, and are at the root of the checkpoint, too.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.layers import LayerNorm, Linear, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.rope import TextRope
from numpyclip.model.text.bidirectional import Encoder, head_tensors, positions_of, read_head
from numpyclip.model.text.encoder_configs import BertConfig
from numpyclip.model.token_stages import TokenStages
from numpyclip.model.transformer import Block, Transformer
from numpyclip.model.transformer_config import EPS
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
class Bert(Encoder):
    """A BERT or RoBERTa."""

    config: BertConfig
    # (n, d), with the embedding of the token type; RoBERTa's has that of padding first. Without a table (1, d)
    positional_embedding: Array
    ln_pre: LayerNorm
    pooler: Linear | None
    end: Linear | None

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: BertConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower."""
        d = config.width
        yield "token_embedding.weight", (config.vocab_size, d)
        if config.has_table:
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
        rope = TextRope.make(config.rotary, config.width // config.heads) if config.rotary else None
        embedding, positions = weights.derive("embedding", partial(_prepare_embedding, config=config))
        return cls(
            config,
            embedding,
            Transformer.read(weights, "transformer", config, SumNormBlock, rope),
            read_projection(weights, "text_projection") if config.end_width else read_head(weights, config),
            positions,
            LayerNorm.read(weights, "ln_pre", config.eps),
            Linear.read(weights, "pooler") if config.pooler else None,
            Linear.read(weights, "end", norm="ln_final") if config.end_width else None,
        )

    @property
    def stages(self) -> TokenStages:
        """Layers, last norm and projection of its tokens; the layer at the end belongs to the norm."""
        return TokenStages(
            layers=self.config.layers,
            has_norm=self.end is not None,
            projected_from=0 if self.text_projection and not self.pooler else None,
        )

    def _enter(self, ids: NDArray[np.integer]) -> Array:
        """Embed tokens, their positions and their type: (b, n) -> (d, b n)."""
        added = self.positional_embedding
        if self.config.has_table:
            added = added[positions_of(ids, self.config.pad_id) if self.config.first_place else np.arange(ids.shape[1])]
        x = self.token_embedding[ids].astype(np.float32) + added  # (b, n, d)
        return self.ln_pre(np.ascontiguousarray(x.reshape(ids.size, -1).T))

    def _bias(self, n: int) -> Array | None:
        return alibi(self.config.heads, n) if self.config.alibi else None

    def _norm(self, x: Array) -> Array:
        return x if self.end is None else self.end(ops.standardize(x, self.config.eps))

    def _project(self, x: Array) -> Array:
        x = super()._project(x if self.pooler is None else np.tanh(self.pooler(x)))
        return ops.standardize(x, EPS) if self.config.standardized else x


def alibi(heads: int, tokens: int) -> Array:
    """Return what is added to the scores of two tokens for their distance (Press et al., 2022): (h, 1, n, n)."""
    positions = np.arange(tokens, dtype=np.float32)
    distances = np.abs(positions[:, np.newaxis] - positions)
    bias: Array = -np.array(_slopes(heads), np.float32).reshape(-1, 1, 1, 1) * distances
    return bias


def _slopes(heads: int) -> list[float]:
    """Return the factor of each head: a geometric series for a power of 2, else with every other one of the next."""
    power = 2 ** int(math.log2(heads))
    slopes = [2 ** (-8 * (head + 1) / power) for head in range(power)]
    return slopes if heads == power else slopes + _slopes(2 * power)[::2][: heads - power]


def _prepare_embedding(checkpoint: Checkpoint, config: BertConfig) -> tuple[NDArray[np.floating[Any]], Array]:
    positions = np.zeros((1, config.width), np.float32)
    if config.has_table:
        positions = checkpoint.copy("positional_embedding")[max(config.first_place - 1, 0) :]
    if config.token_types:
        positions += checkpoint.take("token_type_embedding")[0]
    return checkpoint.table("token_embedding.weight"), positions
