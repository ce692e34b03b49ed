"""Text transformer, as `encode_text` in clip/model.py of openai/CLIP. Its tensors lie at the checkpoint's root."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import ops
from numpyclip.model.config import EPS, CLIPConfig, TextConfig
from numpyclip.model.layers import Linear, Transformer, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.source import Source
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class TextTransformer:
    """Tokens that look back only; the end mark has seen the whole text and speaks for it."""

    config: TextConfig
    token_embedding: NDArray[np.floating[Any]]  # (vocabulary, d), as in the file: only few rows are ever read
    positional_embedding: Array  # (n, d)
    transformer: Transformer
    text_projection: Linear  # (e, d)

    @classmethod
    def read(cls, source: Source, config: CLIPConfig) -> "TextTransformer":
        """Take the weights of this tower from the checkpoint."""
        text = config.text
        return cls(
            text,
            *source.derive("embedding", _prepare_embedding),
            Transformer.read(source, "transformer", text.layers, text.heads, config.activation),
            read_projection(source, "text_projection", "ln_final"),
        )

    def __call__(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (b, e)
        shared = _shared_tokens(ids)
        b, n = ids.shape
        tokens = np.concatenate([ids[0, :shared], ids[:, shared:].reshape(-1)])
        places = np.concatenate([np.arange(shared), np.tile(np.arange(shared, n), b)])
        x = self.token_embedding[tokens].astype(np.float32) + self.positional_embedding[places]  # (shared + b rest, d)
        end = ids[:, shared:].argmax(axis=1)  # the end mark has the highest id; its first place counts
        y = self.transformer(np.ascontiguousarray(x.T), end, shared, ops.causal_mask(n))  # (d, b)
        embeddings: Array = self.text_projection(ops.standardize(y, EPS)).T
        return embeddings


def _shared_tokens(ids: NDArray[np.integer]) -> int:
    """Count the tokens that all texts begin with, before any end mark, which is read for its text alone.

    No token looks ahead, so these can be computed once for all.
    """
    differ = (ids != ids[0]).any(axis=0)
    return int(min(differ.argmax(), ids.argmax(axis=1).min()))  # 0 if there is but one text


def _prepare_embedding(checkpoint: Checkpoint) -> tuple[NDArray[np.floating[Any]], Array]:
    return checkpoint.table("token_embedding.weight"), checkpoint.take("positional_embedding")
