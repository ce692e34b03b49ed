"""The text tower of MobileCLIP-S0 (Vasu et al., 2024), "mct" in mobileclip/text_encoder.py of apple/ml-mobileclip.

A transformer between two blocks of convolutions, which mix tokens with their neighbors, padding included.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops, reparameterize
from numpyclip.model.blocks import Blocks
from numpyclip.model.layers import Linear
from numpyclip.model.ops import Array
from numpyclip.model.text.text_config import MCTConfig
from numpyclip.model.text.text_transformer import TextTransformer
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.token_stages import TokenStages
from numpyclip.model.transformer import MLP
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

_MIXERS = ("mixers.0", "mixers.1")


@dataclass(frozen=True, eq=False, repr=False)
class TokenConvolution:
    """A depthwise convolution over the tokens of a text, zero-padded."""

    weight: Array  # (d, k), k is odd
    bias: Array  # (d,)

    @classmethod
    def make(cls, weights: WeightReader, name: str, prepare: reparameterize.Prepare) -> "TokenConvolution":
        """Take weights (d, 1, 1, k), and biases, that a function makes of the tensors under a name."""
        weight, bias = weights.derive(name, lambda checkpoint: prepare(checkpoint, name))
        return cls(weight[:, 0, 0], bias)

    def __call__(self, x: Array) -> Array:  # (d, b, n) -> the same shape
        n, k = x.shape[2], self.weight.shape[1]
        padded = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2)))
        y = np.empty_like(x)
        y[...] = self.bias[:, np.newaxis, np.newaxis]
        for j, weight in enumerate(self.weight.T):
            y += weight[:, np.newaxis, np.newaxis] * padded[..., j : j + n]
        return y


@dataclass(frozen=True, eq=False, repr=False)
class RepMixerBlock:
    """Mix tokens within each channel, then the channels of each token."""

    token_mixer: TokenConvolution
    conv: TokenConvolution
    mlp: MLP

    @staticmethod
    def tensors(checkpoint: Checkpoint, name: str, config: MCTConfig) -> expected.Tensors:
        """List the tensors under a name."""
        d, shape = config.width, (config.width, 1, 1, config.kernel_size)
        mixer = f"{name}.token_mixer"
        yield from reparameterize.either(checkpoint, mixer, shape, reparameterize.rep_mixer(mixer, shape, scale=False))
        yield from reparameterize.normed(f"{name}.mlp.conv", shape)
        yield from expected.linear(f"{name}.mlp.fc1", d, config.mlp_width)
        yield from expected.linear(f"{name}.mlp.fc2", config.mlp_width, d)
        yield f"{name}.layer_scale.gamma", (d,)

    @classmethod
    def read(cls, weights: WeightReader, name: str) -> "RepMixerBlock":
        """Read the weights under a name of the checkpoint."""
        fuse: reparameterize.Prepare = partial(reparameterize.fuse, branches=reparameterize.add_rep_mixer)
        fc1 = Linear.read(weights, f"{name}.mlp.fc1")
        fc2 = Linear.read(weights, f"{name}.mlp.fc2", scale=f"{name}.layer_scale.gamma")
        return cls(
            TokenConvolution.make(weights, f"{name}.token_mixer", fuse),
            TokenConvolution.make(weights, f"{name}.mlp.conv", reparameterize.take_normed),
            MLP(fc1, fc2, "gelu"),
        )

    def __call__(self, x: Array) -> Array:  # (d, b, n) -> the same shape
        x = self.token_mixer(x)
        x += self.mlp(self.conv(x).reshape(len(x), -1)).reshape(x.shape)
        return x

    def pooled(self, x: Array, ends: NDArray[np.integer]) -> Array:
        """Compute the pooled token of each text only: (d, b, n), (b,) -> (d, b)."""
        x = self.token_mixer(x)
        texts = np.arange(len(ends))
        y: Array = x[:, texts, ends] + self.mlp(self.conv(x)[:, texts, ends])
        return y


@dataclass(frozen=True, eq=False, repr=False)
class MCT(TextTransformer):
    """A text transformer with a block of convolutions before and after it."""

    mixers: Blocks[RepMixerBlock]

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: MCTConfig, embed_dim: int) -> expected.Tensors:  # type: ignore[override]
        """List the tensors of this tower."""
        yield from TextTransformer.tensors(checkpoint, config, embed_dim)
        for name in _MIXERS:
            yield from RepMixerBlock.tensors(checkpoint, name, config)

    @classmethod
    def read(cls, weights: WeightReader, config: MCTConfig) -> "MCT":  # type: ignore[override]
        """Read the weights of this tower."""
        mixers = weights.blocks([partial(RepMixerBlock.read, weights, name) for name in _MIXERS])
        return cls(**vars(TextTransformer.read(weights, config)), mixers=mixers)

    @property
    def stages(self) -> TokenStages:
        """Layers, last norm and projection of its tokens; blocks of convolutions are the first and the last."""
        return replace(super().stages, layers=len(self.transformer.resblocks) + len(self.mixers))

    def __call__(self, ids: NDArray[np.integer]) -> Array:  # (b, n) -> (b, e)
        x = self._mix(ids)  # (d, b n)
        x = self.transformer(x, TokenLayout(len(ids))).reshape(len(x), *ids.shape)
        y = self.mixers[1].pooled(x, self.config.ends(ids))  # (d, b)
        embeddings: Array = self.text_projection(ops.standardize(y, self.config.eps)).T
        return embeddings

    def attention(self, ids: NDArray[np.integer], index: int) -> Array:
        """Compute how much each token attends to each in one block of the transformer: (b, n) -> (b, h, n, n)."""
        return self.transformer.attention(self._mix(ids), TokenLayout(len(ids)), index)

    def _mix(self, ids: NDArray[np.integer]) -> Array:
        """Compute the first layer: (b, n) -> (d, b n)."""
        x = self.mixers[0](self.embed(ids))
        return x.reshape(len(x), -1)

    def _hidden(self, ids: NDArray[np.integer], layer: int) -> Array:
        if not layer:
            return self._embed_all(ids)
        blocks = len(self.transformer.resblocks)
        x = self.transformer(self._mix(ids), TokenLayout(len(ids)), min(layer - 1, blocks))
        if layer - 1 <= blocks:
            return x
        return self.mixers[1](x.reshape(len(x), *ids.shape)).reshape(len(x), -1)
