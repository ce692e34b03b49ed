"""Text transformer, as `encode_text` in clip/model.py of openai/CLIP. Its tensors lie at the checkpoint's root."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import ops
from numpyclip.model.config import CLIPConfig, TextConfig
from numpyclip.model.layers import LayerNorm, Transformer
from numpyclip.model.ops import Array
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class TextTransformer:
    """Tokens that look back only; the end mark has seen the whole text and speaks for it."""

    config: TextConfig
    token_embedding: Array  # (vocabulary, d)
    positional_embedding: Array  # (n, d)
    transformer: Transformer
    ln_final: LayerNorm
    text_projection: Array  # (d, e)

    @classmethod
    def read(cls, checkpoint: Checkpoint, config: CLIPConfig) -> "TextTransformer":
        """Take the weights of this tower from the checkpoint."""
        text = config.text
        return cls(
            text,
            checkpoint.take("token_embedding.weight", (text.vocab_size, text.width)),
            checkpoint.take("positional_embedding", (text.context_length, text.width)),
            Transformer.read(checkpoint, "transformer", text.layers, text.width, text.heads, config.activation),
            LayerNorm.read(checkpoint, "ln_final", text.width),
            checkpoint.take("text_projection", (text.width, config.embed_dim)),
        )

    def __call__(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (b, e)
        n = ids.shape[1]
        x = self.token_embedding[ids] + self.positional_embedding[:n]  # (b, n, d)
        end = ids.argmax(axis=1)  # the end mark has the highest id; its first place counts
        x = self.transformer(x, end, ops.causal_mask(n))  # (b, d)
        return self.ln_final(x) @ self.text_projection  # (b, d) (d, e) -> (b, e)
