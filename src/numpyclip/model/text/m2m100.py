"""The encoder of M2M100 (Fan et al., 2020), as `M2M100Encoder` in transformers' models/m2m_100/modeling_m2m_100.py.

NLLB (Costa-jussà et al., 2022) is one. Positions are sinusoids, which no file holds. Tensors have the names of a text
transformer's, and are at the root of the checkpoint, too.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model.layers import LayerNorm
from numpyclip.model.ops import Array
from numpyclip.model.text.bidirectional import Encoder, head_tensors, positions_of, read_head
from numpyclip.model.text.encoder_configs import M2M100Config
from numpyclip.model.transformer import Transformer
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class M2M100(Encoder):
    """The encoder of an M2M100; the first token is that of the language."""

    config: M2M100Config
    ln_final: LayerNorm

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
            read_head(weights, config),
            LayerNorm.read(weights, "ln_final", config.eps),
        )

    def _enter(self, ids: NDArray[np.integer]) -> Array:
        """Embed tokens and their positions, of which padding has none: (b, n) -> (d, b n)."""
        x = self.token_embedding[ids].astype(np.float32)  # (b, n, d)
        if self.config.scaled:
            x *= np.float32(math.sqrt(self.config.width))
        positions = sinusoids(self.config.pad_id, ids.shape[1] + 1, self.config.width)
        positions[0] = 0
        x += positions[positions_of(ids, self.config.pad_id)]
        return np.ascontiguousarray(x.reshape(ids.size, -1).T)

    def _norm(self, x: Array) -> Array:
        return self.ln_final(x)


def sinusoids(first: int, count: int, width: int) -> Array:
    """Return the embeddings of so many positions from the first: (count, width), sines and then cosines."""
    half = width // 2
    frequencies = np.exp(np.arange(half, dtype=np.float32) * np.float32(-math.log(10000) / (half - 1)))
    angles = np.arange(first, first + count, dtype=np.float32)[:, np.newaxis] * frequencies
    return np.concatenate([np.sin(angles), np.cos(angles), np.zeros((count, width % 2), np.float32)], axis=1)
