"""Convolutions, and parts that convolutional towers share.

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
from numpyclip.model import ops
from numpyclip.model.blocks import Blocks
from numpyclip.model.ops import Array
from numpyclip.model.token_stages import TokenStage, TokenStages
from numpyclip.model.transformer import MLP
from numpyclip.model.transformer_config import EPS
from numpyclip.model.vision import feature_maps
from numpyclip.model.vision.head import Head
from numpyclip.model.vision.tower import VisionTower
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

Step = Callable[[Array], Array]  # (c, y, x, b) -> (e, ...)


def pixels_innermost(image: NDArray[Any], preprocess: Preprocess) -> Array:
    """Return pixels of 0..255: (b, 3, y, x), or (b, y, x, 3) of uint8 -> (3, y, x, b)."""
    x: Array = preprocess.as_pixels(image).transpose(1, 2, 3, 0).astype(np.float32, order="C")
    return x


def normalized_innermost(image: NDArray[Any], preprocess: Preprocess) -> Array:
    """Return normalized pixels: (b, 3, y, x), or (b, y, x, 3) of uint8 -> (3, y, x, b).

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
    """Steps that make a feature map, and a head that embeds it."""

    steps: Blocks[Step]
    head: Head

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

    def __call__(self, image: NDArray[Any]) -> Array:  # (b, 3, y, x), or (b, y, x, 3) of uint8 -> (b, e)
        embeddings: Array = self.head(self.steps.run(self._pixels(image))).T
        return embeddings

    @property
    def stages(self) -> TokenStages:
        """Layers and projection of its feature maps."""
        layers = len(self.config.layers)
        can_project = self.head.pool is None and self.head.projection is not None
        return TokenStages(layers=layers, has_norm=False, projected_from=layers if can_project else None)

    def tokens(self, image: NDArray[Any], stage: TokenStage) -> Array:
        """Compute the feature map of the stem or of a stage, maybe projected: (b, 3, y, x) -> (b, y', x', c)."""
        if not stage.project:
            return images_first(self.steps.run(self._pixels(image), count=self._count_steps(stage.layer)))
        x = self.steps.run(self._pixels(image))
        pixels = self.head(x.reshape(len(x), 1, 1, -1))  # each as if it were an image
        return images_first(pixels.reshape(-1, *x.shape[1:]))
