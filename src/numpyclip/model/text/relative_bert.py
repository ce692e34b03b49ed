"""BERT whose positions enter its attention: by rotary embeddings, or by a bias for the distance of two tokens (ALiBi).

The text towers of jina-clip-v2 (as `JinaEmbeddingsV3Model` in transformers) and jina-clip-v1, and nomic-embed-text (as
`NomicBertModel` in transformers). Tensors have the names of BERT's here: see `numpyclip.model.text.bert`.
"""

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.layers import LayerNorm
from numpyclip.model.ops import Array
from numpyclip.model.rope import TextRope
from numpyclip.model.text.bert import SumNormBlock
from numpyclip.model.text.encoder_configs import RelativeBertConfig
from numpyclip.model.text.encoder_parts import Encoder, head_tensors, read_head
from numpyclip.model.token_stages import TokenStages
from numpyclip.model.transformer import Transformer
from numpyclip.model.transformer_config import EPS
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class RelativeBert(Encoder):
    """A BERT without a table of positions."""

    config: RelativeBertConfig
    type_embedding: Array  # (d,)
    ln_pre: LayerNorm

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
        embedding, types = weights.derive("embedding", partial(_prepare_embedding, config=config))
        transformer = Transformer.read(weights, "transformer", config, SumNormBlock, rope)
        ln_pre = LayerNorm.read(weights, "ln_pre", config.eps)
        return cls(config, embedding, transformer, read_head(weights, config), types, ln_pre)

    @property
    def stages(self) -> TokenStages:
        """What its tokens go through."""
        return replace(super().stages, has_norm=False)

    def _enter(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (d, b n)
        x = self.token_embedding[ids].astype(np.float32) + self.type_embedding  # (b, n, d)
        return self.ln_pre(np.ascontiguousarray(x.reshape(ids.size, -1).T))

    def _bias(self, n: int) -> Array | None:
        return alibi(self.config.heads, n) if self.config.alibi else None

    def _project(self, x: Array) -> Array:
        x = super()._project(x)
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


def _prepare_embedding(checkpoint: Checkpoint, config: RelativeBertConfig) -> tuple[NDArray[np.floating[Any]], Array]:
    types = checkpoint.copy("token_type_embedding")[0] if config.token_types else np.zeros(config.width, np.float32)
    return checkpoint.table("token_embedding.weight"), types
