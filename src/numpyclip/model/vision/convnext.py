"""ConvNeXt (Liu et al., 2022), as `ConvNeXt` in timm/models/convnext.py, with the heads of open_clip/timm_model.py."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.images.preprocess import Preprocess
from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.layers import LayerNorm, Linear, fold_pixels
from numpyclip.model.ops import Array
from numpyclip.model.transformer import MLP
from numpyclip.model.vision import feature_maps
from numpyclip.model.vision.convolution import (
    Convolution,
    ConvolutionalTower,
    ConvolutionMLP,
    Step,
    pixels_innermost,
)
from numpyclip.model.vision.head import Head
from numpyclip.model.vision.vision_config import ConvNeXtConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

_TRUNK = "visual.trunk"


@dataclass(frozen=True, eq=False, repr=False)
class Stem:
    """A convolution of 4 by 4 pixels with stride 4, and a norm."""

    conv: Linear
    norm: LayerNorm

    @classmethod
    def read(cls, weights: WeightReader, name: str, eps: float, preprocess: Preprocess) -> "Stem":
        """Read the weights under a name of the checkpoint; fold in the normalization of pixels."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
            weight, bias = checkpoint.copy(f"{name}.0.weight"), checkpoint.copy(f"{name}.0.bias")
            bias += fold_pixels(preprocess, weight)
            return weight.reshape(len(weight), -1), bias

        return cls(Linear(*weights.derive(name, prepare)), LayerNorm.read(weights, f"{name}.1", eps))

    def __call__(self, x: Array) -> Array:  # (3, y, x, b), of 0..255 -> (c, y // 4, x // 4, b)
        y = self.conv(feature_maps.squares(x, 4))
        return self.norm(y.reshape(len(y), -1)).reshape(y.shape)


@dataclass(frozen=True, eq=False, repr=False)
class Downsample:
    """A norm, and a convolution of 2 by 2 pixels with stride 2."""

    conv: Linear
    eps: float

    @classmethod
    def read(cls, weights: WeightReader, name: str, eps: float) -> "Downsample":
        """Read the weights under a name of the checkpoint; fold the norm into the convolution, which is not padded."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
            weight, bias = checkpoint.copy(f"{name}.1.weight"), checkpoint.copy(f"{name}.1.bias")
            bias += weight.sum(axis=(2, 3)) @ checkpoint.take(f"{name}.0.bias")
            weight *= checkpoint.take(f"{name}.0.weight")[:, np.newaxis, np.newaxis]
            return weight.reshape(len(weight), -1), bias

        return cls(Linear(*weights.derive(name, prepare)), eps)

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> (e, y // 2, x // 2, b)
        x = ops.standardize(x.reshape(len(x), -1), self.eps).reshape(x.shape)
        return self.conv(feature_maps.squares(x, 2))


def _read_block(weights: WeightReader, name: str, eps: float) -> ConvolutionMLP:
    conv = f"{name}.conv_dw"
    return ConvolutionMLP(
        Convolution.make(weights, conv, lambda at: (at.take(f"{conv}.weight"), at.take(f"{conv}.bias"))),
        MLP(
            Linear.read(weights, f"{name}.mlp.fc1", norm=f"{name}.norm"),
            Linear.read(weights, f"{name}.mlp.fc2", scale=f"{name}.gamma"),
            "gelu",
        ),
        eps,
    )


@dataclass(frozen=True, eq=False, repr=False)
class ConvNeXt(ConvolutionalTower):
    """A stem, four stages of blocks, and a head."""

    config: ConvNeXtConfig

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: ConvNeXtConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower."""
        d = config.widths[0]
        yield f"{_TRUNK}.stem.0.weight", (d, 3, 4, 4)
        yield f"{_TRUNK}.stem.0.bias", (d,)
        yield from expected.norm(f"{_TRUNK}.stem.1", d)
        for stage, (count, width) in enumerate(zip(config.layers, config.widths, strict=True)):
            if stage:
                yield from expected.norm(f"{_TRUNK}.stages.{stage}.downsample.0", d)
                yield f"{_TRUNK}.stages.{stage}.downsample.1.weight", (width, d, 2, 2)
                yield f"{_TRUNK}.stages.{stage}.downsample.1.bias", (width,)
            d = width
            for index in range(count):
                block = f"{_TRUNK}.stages.{stage}.blocks.{index}"
                yield f"{block}.conv_dw.weight", (d, 1, 7, 7)
                yield f"{block}.conv_dw.bias", (d,)
                yield from expected.norm(f"{block}.norm", d)
                yield from expected.linear(f"{block}.mlp.fc1", d, 4 * d)
                yield from expected.linear(f"{block}.mlp.fc2", 4 * d, d)
                yield f"{block}.gamma", (d,)
        yield from expected.norm(f"{_TRUNK}.head.norm", d)
        yield from Head.tensors(checkpoint, config, embed_dim)

    @classmethod
    def read(cls, weights: WeightReader, config: ConvNeXtConfig, preprocess: Preprocess) -> "ConvNeXt":
        """Read the weights of this tower."""
        eps = config.eps
        makers: list[Callable[[], Step]] = [partial(Stem.read, weights, f"{_TRUNK}.stem", eps, preprocess)]
        for stage, count in enumerate(config.layers):
            if stage:
                makers.append(partial(Downsample.read, weights, f"{_TRUNK}.stages.{stage}.downsample", eps))
            blocks = [f"{_TRUNK}.stages.{stage}.blocks.{index}" for index in range(count)]
            makers.extend(partial(_read_block, weights, block, eps) for block in blocks)
        head = Head.read(weights, config, f"{_TRUNK}.head.norm")
        return cls(config, preprocess, weights.blocks(makers), head)

    def _pixels(self, image: NDArray[Any]) -> Array:
        return pixels_innermost(image, self.preprocess)

    def _count_steps(self, layer: int) -> int:
        return 1 + sum(self.config.layers[:layer]) + max(layer - 1, 0)  # all stages but the first downsample
