"""The base class of text towers, and the choice of one by its config."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from numpyclip.model.expected_tensors import Tensors
from numpyclip.model.ops import Array
from numpyclip.model.text.text_config import MCTConfig, TextConfig
from numpyclip.model.token_stages import TokenStage, TokenStages
from numpyclip.model.transformer import Transformer
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


class TextTower(Protocol):
    """From ids of tokens to embeddings."""

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: Any, embed_dim: int) -> Tensors:
        """List the tensors that a checkpoint holds for this tower."""

    @classmethod
    def read(cls, weights: WeightReader, config: Any) -> TextTower:
        """Read the weights of this tower."""

    @property
    def transformer(self) -> Transformer:
        """Its blocks."""

    def __call__(self, ids: NDArray[np.integer]) -> Array:
        """Embed texts, of which no token matters beyond the last: (b, n) -> (b, e)."""

    @property
    def stages(self) -> TokenStages:
        """Layers, last norm and projection of its tokens."""

    def tokens(self, ids: NDArray[np.integer], stage: TokenStage) -> Array:
        """Compute all tokens, those of padding included: (b, n) -> (b, n, d)."""

    def attention(self, ids: NDArray[np.integer], index: int) -> Array:
        """Compute how much each token attends to each in one block: (b, n) -> (b, h, n, n)."""


def text_tower(config: TextConfig) -> type[TextTower]:
    """Return the kind of tower that a configuration describes; others are not even imported."""
    if isinstance(config, MCTConfig):
        from numpyclip.model.text.mct import MCT

        return MCT
    if type(config) is TextConfig:
        from numpyclip.model.text.text_transformer import TextTransformer

        return TextTransformer
    return _encoder(config)


def _encoder(config: TextConfig) -> type[TextTower]:
    from numpyclip.model.text.encoder_configs import BertConfig, M2M100Config

    if isinstance(config, BertConfig):
        from numpyclip.model.text.bert import Bert

        return Bert
    if isinstance(config, M2M100Config):
        from numpyclip.model.text.m2m100 import M2M100

        return M2M100
    from numpyclip.model.text.t5 import T5

    return T5
