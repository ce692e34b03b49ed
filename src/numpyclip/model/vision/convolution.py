"""Convolutions, and what towers made of them have in common.

A pixel is a column, like a token, and the images of a batch are innermost, (c, y, x, b): a 1 x 1 convolution is a
matrix product, and shifted images are copied in long runs.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.images.preprocess import Preprocess
from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.blocks import Blocks
from numpyclip.model.config import EPS
from numpyclip.model.layers import Linear, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.token_stages import TokenStage, TokenStages
from numpyclip.model.transformer import MLP
from numpyclip.model.vision import feature_maps
from numpyclip.model.vision.tower import VisionTower
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

Step = Callable[[Array], Array]  # (c, y, x, b) -> (e, ...)


def pixels_innermost(image: NDArray[Any], preprocess: Preprocess) -> Array:
    """Return pixels of 0..255: (b, 3, y, x), or (b, y, x, 3) of uint8 -> (3, y, x, b)."""
    x: Array = preprocess.as_pixels(image).transpose(1, 2, 3, 0).astype(np.float32, order="C")
    return x


def normalized_innermost(image: NDArray[Any], preprocess: Preprocess) -> Array:
    """Return normalised pixels: (b, 3, y, x), or (b, y, x, 3) of uint8 -> (3, y, x, b).

    If the first convolution is zero-padded, this cannot be folded into its weights.
    """
    x = pixels_innermost(image, preprocess)
    for channel, mean, std in zip(x, preprocess.mean, preprocess.std, strict=True):
        channel -= np.float32(mean / preprocess.scale)
        channel *= np.float32(preprocess.scale / std)
    return x


def images_first(x: Array) -> Array:
    """Turn feature maps into rows and columns of tokens: (c, y, x, b) -> (b, y, x, c)."""
    rows: Array = x.transpose(3, 1, 2, 0)
    return rows


def batch_norm(checkpoint: Checkpoint, name: str) -> tuple[Array, Array]:
    """Take a batch norm (Ioffe and Szegedy, 2015) as a scale and a shift (d,)."""
    deviation = np.sqrt(checkpoint.take(f"{name}.running_var") + np.float32(EPS))
    scale: Array = checkpoint.take(f"{name}.weight") / deviation
    shift: Array = checkpoint.take(f"{name}.bias") - checkpoint.take(f"{name}.running_mean") * scale
    return scale, shift


def with_batch_norm(checkpoint: Checkpoint, conv: str, bn: str) -> tuple[Array, Array]:
    """Take the weights of a convolution; fold in the batch norm after it."""
    weight = checkpoint.copy(f"{conv}.weight")
    scale, bias = batch_norm(checkpoint, bn)
    weight *= scale.reshape(-1, *[1] * (weight.ndim - 1))
    return weight, bias


@dataclass(frozen=True, eq=False, repr=False)
class Convolution:
    """A convolution: 1 x 1, 3 x 3, or depthwise, with one or more filters per channel."""

    weight: Array  # (e, c), (e, c 3 3), or (e, k, k)
    bias: Array
    stride: int = 1

    @classmethod
    def read(cls, weights: WeightReader, conv: str, bn: str, stride: int = 1) -> "Convolution":
        """Read the weights of a convolution and of its batch norm."""
        return cls.make(weights, conv, lambda checkpoint: with_batch_norm(checkpoint, conv, bn), stride)

    @classmethod
    def make(
        cls, weights: WeightReader, name: str, prepare: Callable[[Checkpoint], tuple[Array, Array]], stride: int = 1
    ) -> "Convolution":
        """Take the weights (e, c) or (e, c, k, k), where c is 1 if depthwise, that a function makes of tensors."""
        weight, bias = weights.derive(name, prepare)
        is_depthwise = weight.ndim == 4 and weight.shape[1] == 1
        return cls(weight[:, 0] if is_depthwise else weight.reshape(len(weight), -1), bias, stride)

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> (e, y / stride, x / stride, b)
        if self.weight.ndim == 3:
            return feature_maps.convolve_channels(x, self.weight, self.bias, self.stride)
        if self.weight.shape[1] == len(x):  # 1 x 1
            return ops.linear(x, self.weight, self.bias)
        return feature_maps.convolve3x3(x, self.weight, self.bias, self.stride)


@dataclass(frozen=True, eq=False, repr=False)
class ConvolutionMLP:
    """A residual block: a depthwise convolution, and an MLP on every pixel.

    The norm between is a layer norm, with `eps`, or folded into the weights.
    """

    conv: Convolution
    mlp: MLP
    eps: float | None

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> the same shape
        y = self.conv(x).reshape(len(x), -1)
        if self.eps is not None:
            y = ops.standardize(y, self.eps)
        return x + self.mlp(y).reshape(x.shape)


@dataclass(frozen=True, eq=False, repr=False)
class ConvolutionalTower(VisionTower):
    """Steps that make a feature map, and a head that embeds the mean of its pixels."""

    steps: Blocks[Step]
    head: Linear | MLP

    @property
    def output_dim(self) -> int:
        """Length of embeddings."""
        return self.head.output_dim

    @abstractmethod
    def _pixels(self, image: NDArray[Any]) -> Array:
        """Prepare pixels for the first step: (b, 3, y, x), or (b, y, x, 3) of uint8 -> (3, y, x, b)."""

    @abstractmethod
    def _count_steps(self, layer: int) -> int:
        """Count the steps until the end of the stem, layer 0, or of a stage."""

    def _finish(self, x: Array) -> Array:
        """Apply what comes after the mean of all pixels: (c, n) -> (e, n)."""
        return self.head(x)

    def __call__(self, image: NDArray[Any]) -> Array:  # (b, 3, y, x), or (b, y, x, 3) of uint8 -> (b, e)
        x = self.steps.run(self._pixels(image))
        embeddings: Array = self._finish(x.mean(axis=(1, 2))).T
        return embeddings

    @property
    def stages(self) -> TokenStages:
        """What its feature maps go through."""
        layers = len(self.config.layers)
        return TokenStages(layers=layers, has_norm=False, projected_from=layers)

    def tokens(self, image: NDArray[Any], stage: TokenStage) -> Array:
        """Compute the feature map of the stem or of a stage, maybe projected: (b, 3, y, x) -> (b, y', x', c)."""
        if not stage.project:
            return images_first(self.steps.run(self._pixels(image), count=self._count_steps(stage.layer)))
        x = self.steps.run(self._pixels(image))
        return images_first(self._finish(x.reshape(len(x), -1)).reshape(-1, *x.shape[1:]))


def head_tensors(checkpoint: Checkpoint, d: int, embed_dim: int, is_mlp: bool) -> expected.Tensors:
    """List the head, from the mean of all pixels to the embedding, as in open_clip/timm_model.py."""
    if is_mlp:
        yield from expected.linear("visual.head.mlp.fc1", d, 2 * embed_dim)
        yield from expected.projection(checkpoint, "visual.head.mlp.fc2", 2 * embed_dim, embed_dim)
    else:
        yield from expected.projection(checkpoint, _projection(checkpoint), d, embed_dim)


def read_head(weights: WeightReader, norm: str | None, is_mlp: bool) -> Linear | MLP:
    """Take the head, from the mean of all pixels to the embedding; fold in the norm before."""
    if is_mlp:
        fc1 = Linear.read(weights, "visual.head.mlp.fc1", norm=norm)
        return MLP(fc1, read_projection(weights, "visual.head.mlp.fc2"), "gelu")
    return read_projection(weights, _projection(weights.checkpoint), norm)


def _projection(checkpoint: Checkpoint) -> str:
    """Name the last matrix: open_clip's, or else timm's own."""
    return "visual.head.proj" if "visual.head.proj.weight" in checkpoint else "visual.trunk.head.fc"
