"""Vision transformer (Dosovitskiy et al., 2021), as `VisionTransformer` in clip/model.py of openai/CLIP."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.image import MEAN, STD, as_pixels
from numpyclip.model import ops
from numpyclip.model.config import EPS, CLIPConfig, VisionTransformerConfig
from numpyclip.model.layers import LayerNorm, Linear, Transformer, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.source import Source
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class VisionTransformer:
    """Patches of a picture as tokens, and one more that gathers what is seen."""

    config: VisionTransformerConfig
    conv1: Array  # (d, 3 p p), for patches of p by p pixels of 0..255
    embedding: Array  # (d, n): of every token's place, the class embedding, and what normalises the pixels
    ln_pre: LayerNorm
    transformer: Transformer
    proj: Linear  # (e, d)

    @classmethod
    def read(cls, source: Source, config: CLIPConfig) -> "VisionTransformer":
        """Take the weights of this tower from the checkpoint."""
        vision = config.vision
        assert isinstance(vision, VisionTransformerConfig)
        return cls(
            vision,
            *source.derive("visual.embedding", _prepare_embedding),
            LayerNorm.read(source, "visual.ln_pre"),
            Transformer.read(source, "visual.transformer", vision.layers, vision.heads, config.activation),
            read_projection(source, "visual.proj", "visual.ln_post"),
        )

    @property
    def input_resolution(self) -> int:
        """Side of the square picture it takes, in pixels."""
        return self.config.image_size

    def __call__(self, image: NDArray[Any]) -> Array:  # (b, 3, y, x), or (b, y, x, 3) of uint8 -> (b, e)
        patches = ops.linear(ops.patches(as_pixels(image), self.config.patch_size), self.conv1)  # (d, b, n - 1)
        d, b, _ = patches.shape
        x = np.empty((d, b, self.embedding.shape[1]), np.float32)
        x[:, :, 0] = self.embedding[:, :1]
        np.add(patches, self.embedding[:, np.newaxis, 1:], out=x[:, :, 1:])
        y = self.transformer(self.ln_pre(x.reshape(d, -1)), np.zeros(b, int))  # (d, b): the class token
        embeddings: Array = self.proj(ops.standardize(y, EPS)).T
        return embeddings


def _prepare_embedding(checkpoint: Checkpoint) -> tuple[Array, Array]:
    """Let patches be pixels x of 0..255: W (x / 255 - mean) / std is (W / 255 std) x - W mean / std."""
    conv1 = checkpoint.copy("visual.conv1.weight")  # (d, 3, p, p)
    embedding = np.ascontiguousarray(checkpoint.take("visual.positional_embedding").T)
    embedding[:, 0] += checkpoint.take("visual.class_embedding")
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    embedding[:, 1:] -= (conv1.sum(axis=(2, 3)) @ (mean / std))[:, np.newaxis]
    conv1 /= (np.float32(255) * std).reshape(3, 1, 1)
    return conv1.reshape(len(conv1), -1), embedding
