"""Vision transformer (Dosovitskiy et al., 2021), as `VisionTransformer` in clip/model.py of openai/CLIP."""

from dataclasses import dataclass

import numpy as np

from numpyclip.model import ops
from numpyclip.model.config import CLIPConfig, VisionTransformerConfig
from numpyclip.model.layers import LayerNorm, Transformer
from numpyclip.model.ops import Array
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class VisionTransformer:
    """Patches of a picture as tokens, and one more that gathers what is seen."""

    config: VisionTransformerConfig
    conv1: Array  # (d, 3 p p), for patches of p by p pixels
    class_embedding: Array  # (d,)
    positional_embedding: Array  # (n, d)
    ln_pre: LayerNorm
    transformer: Transformer
    ln_post: LayerNorm
    proj: Array  # (d, e)

    @classmethod
    def read(cls, checkpoint: Checkpoint, config: CLIPConfig) -> "VisionTransformer":
        """Take the weights of this tower from the checkpoint."""
        vision = config.vision
        assert isinstance(vision, VisionTransformerConfig)
        d, p = vision.width, vision.patch_size
        return cls(
            vision,
            checkpoint.take("visual.conv1.weight", (d, 3, p, p)).reshape(d, 3 * p * p),
            checkpoint.take("visual.class_embedding", (d,)),
            checkpoint.take("visual.positional_embedding", ((vision.image_size // p) ** 2 + 1, d)),
            LayerNorm.read(checkpoint, "visual.ln_pre", d),
            Transformer.read(checkpoint, "visual.transformer", vision.layers, d, vision.heads, config.activation),
            LayerNorm.read(checkpoint, "visual.ln_post", d),
            checkpoint.take("visual.proj", (d, config.embed_dim)),
        )

    @property
    def input_resolution(self) -> int:
        """Side of the square picture it takes, in pixels."""
        return self.config.image_size

    def __call__(self, image: Array) -> Array:  # (b, 3, y, x) -> (b, e)
        x = ops.linear(ops.patches(image, self.config.patch_size), self.conv1)  # (b, n - 1, d)
        first = np.broadcast_to(self.class_embedding, (len(x), 1, x.shape[-1]))  # (b, 1, d)
        x = np.concatenate([first, x], axis=1) + self.positional_embedding  # (b, n, d)
        x = self.transformer(self.ln_pre(x), np.zeros(len(x), int))  # (b, d): the class token
        return self.ln_post(x) @ self.proj  # (b, d) (d, e) -> (b, e)
