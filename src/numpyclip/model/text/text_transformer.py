"""Text transformer, as `encode_text` in clip/model.py of openai/CLIP. Its tensors are at the root of the checkpoint.

And its variant with a class token after the text, as `TextTransformer` in open_clip/transformer.py.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.layers import Affine, LayerNorm, Linear, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.token_stages import TokenStage, TokenStages, as_rows
from numpyclip.model.transformer import Transformer
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class TextTransformer:
    """Token and positional embeddings, a transformer, and the projection of the pooled token."""

    config: TextConfig
    token_embedding: NDArray[np.floating[Any]]  # (vocabulary, d), in the file's dtype: few rows are read
    positional_embedding: Array  # (n, d); the last one includes the class embedding, if any
    transformer: Transformer
    text_projection: Linear | Affine
    ln_final: LayerNorm  # folded into the projection, but for tokens that are not projected

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: TextConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower."""
        yield "token_embedding.weight", (config.vocab_size, config.width)
        yield "positional_embedding", (config.context_length + config.has_class_token, config.width)
        if config.has_class_token:
            yield "cls_emb", (config.width,)
        yield from expected.transformer(checkpoint, "transformer", config)
        yield from expected.norm("ln_final", config.width)
        if config.projection:
            yield from expected.projection(checkpoint, "text_projection", config.width, embed_dim)

    @classmethod
    def read(cls, weights: WeightReader, config: TextConfig) -> "TextTransformer":
        """Read the weights of this tower."""
        return cls(
            config,
            *weights.derive("embedding", _prepare_embedding),
            Transformer.read(weights, "transformer", config),
            read_projection(weights, "text_projection", "ln_final")
            if config.projection
            else Affine.read(weights, "ln_final"),
            LayerNorm.read(weights, "ln_final", config.eps),
        )

    @property
    def stages(self) -> TokenStages:
        """Layers, last norm and projection of its tokens."""
        return TokenStages(
            layers=len(self.transformer.resblocks),
            norms_all=not self.config.has_class_token,
            projected_from=0 if self.config.projection else None,
        )

    def __call__(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (b, e)
        ends = self.config.ends(ids)
        shared = _shared_tokens(ids, ends) if self.config.causal else 0
        own = self._embed_all(ids[:, shared:], shared)  # (d, b rest)
        x = np.concatenate([self.embed(ids[:1, :shared])[:, 0], own], axis=1)
        layout = TokenLayout(len(ids), shared, self._mask(ids), pooled=ends - shared)
        y = self.transformer.pooled(x, layout)  # (d, b)
        embeddings: Array = self.text_projection(ops.standardize(y, self.config.eps)).T
        return embeddings

    def tokens(self, ids: NDArray[np.integer], stage: TokenStage) -> Array:
        """Compute all tokens, padding included, but no class token: (b, n) -> (b, n, d)."""
        x = self._hidden(ids, stage.layer)
        if stage.project:
            x = self.text_projection(ops.standardize(x, self.config.eps))
        elif stage.norm:
            x = self.ln_final(x)
        return as_rows(x, len(ids))[:, : ids.shape[1]]

    def attention(self, ids: NDArray[np.integer], index: int) -> Array:
        """Compute how much each token attends to each in one block, the class token last: (b, n) -> (b, h, n, n)."""
        return self.transformer.attention(self._embed_all(ids), TokenLayout(len(ids), mask=self._mask(ids)), index)

    def _hidden(self, ids: NDArray[np.integer], layer: int) -> Array:  # -> (d, b n), after so many blocks
        return self.transformer(self._embed_all(ids), TokenLayout(len(ids), mask=self._mask(ids)), layer)

    def _embed_all(self, ids: NDArray[np.integer], start: int = 0) -> Array:
        """Embed tokens as `embed`, and the class token of each text, if any: (b, n) -> (d, b n)."""
        x = self.embed(ids, start)
        if self.config.has_class_token:
            last = np.broadcast_to(self.positional_embedding[-1][:, np.newaxis, np.newaxis], (*x.shape[:2], 1))
            x = np.concatenate([x, last], axis=2)
        return x.reshape(len(x), -1)

    def embed(self, ids: NDArray[np.integer], start: int = 0) -> Array:
        """Embed tokens and their positions, the first of which is `start`: (b, n) -> (d, b, n)."""
        x = self.token_embedding[ids].astype(np.float32)  # (b, n, d)
        x += self.positional_embedding[start : start + ids.shape[1]]
        return np.ascontiguousarray(x.transpose(2, 0, 1))

    def is_hidden(self, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Tell which tokens are masked: (b, n) -> (b, n + 1), the class token included.

        Padding should be. But OpenCLIP's mask is shifted by one, as if the class token came first, and its weights are
        trained that way: so a token is masked if the one before it is padding.
        """
        return np.pad(ids == self.config.pad_id, ((0, 0), (1, 0)))

    def _mask(self, ids: NDArray[np.integer]) -> Array | None:  # (b, n) -> (n, n), or with a class token (b, n, n)
        if not self.config.causal:
            return None
        if not self.config.has_class_token:
            return ops.causal_mask(ids.shape[1])
        hidden = np.where(self.is_hidden(ids), np.float32(-np.inf), np.float32(0))
        mask: Array = ops.causal_mask(hidden.shape[1]) + hidden[:, np.newaxis]
        return mask


def _shared_tokens(ids: NDArray[np.integer], ends: NDArray[np.integer]) -> int:
    """Count the tokens of the shared prefix of all texts, which ends before any pooled token."""
    differ = (ids != ids[0]).any(axis=0)
    return int(min(differ.argmax(), ends.min()))  # 0 for a single text


def _prepare_embedding(checkpoint: Checkpoint) -> tuple[NDArray[np.floating[Any]], Array]:
    positions = checkpoint.take("positional_embedding")
    if "cls_emb" in checkpoint:
        positions = checkpoint.copy("positional_embedding")
        positions[-1] += checkpoint.take("cls_emb")
    return checkpoint.table("token_embedding.weight"), positions
