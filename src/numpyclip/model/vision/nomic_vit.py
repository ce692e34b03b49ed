"""The image tower of nomic-embed-vision, as `NomicVisionModel` in nomic-ai/contrastors' modeling_hf_nomic_bert.py.

A vision transformer that ends without a norm. To its class token is added what an MLP makes of the tokens that a
learned query attends to.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from numpyclip.images.preprocess import Preprocess
from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.attention import attend, join_in_proj, prepare_out_proj
from numpyclip.model.layers import Linear
from numpyclip.model.ops import Array
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.transformer import MLP, Transformer
from numpyclip.model.transformer_config import TransformerConfig
from numpyclip.model.vision.vision_config import NomicVisionConfig, VisionTransformerConfig
from numpyclip.model.vision.vit import VisionTransformer, read_embedding
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class Selector:
    """A learned query attends to all tokens, followed by an MLP. The query is multiplied with the keys at load time."""

    wanted: Array  # (h, 1, d): see `attend`
    values: Array  # (h, k, d)
    out_proj: Linear
    mlp: MLP
    eps: float

    @staticmethod
    def tensors(checkpoint: Checkpoint, name: str, config: NomicVisionConfig) -> expected.Tensors:
        """List the tensors under a name."""
        yield f"{name}.probe", (1, 1, config.width)
        yield from expected.attention(checkpoint, f"{name}.attn", config.width)
        yield from expected.norm(f"{name}.ln_2", config.width)
        yield from expected.mlp(f"{name}.mlp", _as_block(config))

    @classmethod
    def read(cls, weights: WeightReader, name: str, config: NomicVisionConfig) -> "Selector":
        """Read the weights under a name of the checkpoint."""
        h = config.heads

        def prepare(checkpoint: Checkpoint) -> tuple[Array, ...]:
            weight, bias = join_in_proj(checkpoint, f"{name}.attn")
            d = len(bias) // 3
            query: Array = weight[:d] @ checkpoint.take(f"{name}.probe").reshape(d) + bias[:d]
            query *= np.float32(1 / math.sqrt(d // h))
            keys, values = weight[d:].reshape(2, h, -1, d)
            wanted: Array = query.reshape(h, 1, -1) @ keys
            return wanted, values.copy(), *prepare_out_proj(checkpoint, f"{name}.attn.out_proj", bias[2 * d :])

        wanted, values, out_weight, out_bias = weights.derive(name, prepare)
        mlp = MLP.read(weights, name, _as_block(config))
        return cls(wanted, values, Linear(out_weight, out_bias), mlp, config.eps)

    def __call__(self, x: Array, batch: int) -> Array:  # (d, b n) -> (d, b)
        wanted = np.broadcast_to(self.wanted, (len(self.wanted), batch, len(x)))
        y = self.out_proj(attend(wanted, self.values, x, TokenLayout(batch)))
        return self.mlp(ops.standardize(y, self.eps))


def _as_block(config: NomicVisionConfig) -> TransformerConfig:
    """Return the sizes of the MLP, which has no norm inside."""
    return replace(config, inner_norm=False, mlp_width=config.pool.mlp_width or config.mlp_width)


@dataclass(frozen=True, eq=False, repr=False)
class NomicViT(VisionTransformer):
    """A transformer on the patches of an image and a class token."""

    config: NomicVisionConfig
    selector: Selector

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: VisionTransformerConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower, whose embeddings are as wide as its tokens."""
        assert isinstance(config, NomicVisionConfig)
        d, p = config.width, config.patch_size
        yield "visual.conv1.weight", (d, 3, p, p)
        yield "visual.conv1.bias", (d,)
        yield "visual.class_embedding", (d,)
        yield "visual.positional_embedding", (config.tokens, d)
        yield from expected.transformer(checkpoint, "visual.transformer", config)
        yield from Selector.tensors(checkpoint, "visual.attn_pool", config)

    @classmethod
    def read(cls, weights: WeightReader, config: VisionTransformerConfig, preprocess: Preprocess) -> "NomicViT":
        """Read the weights of this tower."""
        assert isinstance(config, NomicVisionConfig)
        conv1, embedding = read_embedding(weights, config, preprocess)
        return cls(
            config,
            preprocess,
            stem=None,
            conv1=conv1,
            embedding=embedding,
            ln_pre=None,
            transformer=Transformer.read(weights, "visual.transformer", config),
            attn_pool=None,
            proj=None,
            ln_post=None,
            selector=Selector.read(weights, "visual.attn_pool", config),
        )

    def _pool(self, x: Array, b: int) -> Array:  # (d, b n) -> (d, b)
        x = self.transformer(x, TokenLayout(b))
        y: Array = self.selector(x, b)
        y += x.reshape(len(x), b, -1)[:, :, 0]
        return y
