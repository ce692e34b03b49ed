"""Text transformer, as `encode_text` in clip/model.py of openai/CLIP. Its tensors lie at the checkpoint's root."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import layout, ops
from numpyclip.model.config import TextConfig
from numpyclip.model.layers import Affine, Linear, Transformer, read_end
from numpyclip.model.ops import Array
from numpyclip.model.source import Source
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class TextTransformer:
    """Tokens, one of which has seen the whole text and speaks for it."""

    config: TextConfig
    token_embedding: NDArray[np.floating[Any]]  # (vocabulary, d), as in the file: only few rows are ever read
    positional_embedding: Array  # (n, d)
    transformer: Transformer
    text_projection: Linear | Affine

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: TextConfig, embed_dim: int) -> layout.Tensors:
        """List the tensors of this tower."""
        yield "token_embedding.weight", (config.vocab_size, config.width)
        yield "positional_embedding", (config.context_length, config.width)
        yield from layout.transformer(checkpoint, "transformer", config)
        yield from layout.norm("ln_final", config.width)
        if config.projection:
            yield from layout.projection(checkpoint, "text_projection", config.width, embed_dim)

    @classmethod
    def read(cls, source: Source, config: TextConfig) -> "TextTransformer":
        """Take the weights of this tower from the checkpoint."""
        return cls(
            config,
            *source.derive("embedding", _prepare_embedding),
            Transformer.read(source, "transformer", config),
            read_end(source, "text_projection" if config.projection else None, "ln_final"),
        )

    def __call__(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (b, e)
        ends = self.config.ends(ids)
        shared = _shared_tokens(ids, ends) if self.config.causal else 0
        b, n = ids.shape
        tokens = np.concatenate([ids[0, :shared], ids[:, shared:].reshape(-1)])
        places = np.concatenate([np.arange(shared), np.tile(np.arange(shared, n), b)])
        x = self.token_embedding[tokens].astype(np.float32) + self.positional_embedding[places]  # (shared + b rest, d)
        mask = ops.causal_mask(n) if self.config.causal else None
        y = self.transformer.one(np.ascontiguousarray(x.T), ends - shared, shared, mask)  # (d, b)
        embeddings: Array = self.text_projection(ops.standardize(y, self.config.eps)).T
        return embeddings


def _shared_tokens(ids: NDArray[np.integer], ends: NDArray[np.integer]) -> int:
    """Count the tokens that all texts begin with, before any end mark, which is read for its text alone.

    Where no token looks ahead, these can be computed once for all.
    """
    differ = (ids != ids[0]).any(axis=0)
    return int(min(differ.argmax(), ends.min()))  # 0 if there is but one text


def _prepare_embedding(checkpoint: Checkpoint) -> tuple[NDArray[np.floating[Any]], Array]:
    return checkpoint.table("token_embedding.weight"), checkpoint.take("positional_embedding")
