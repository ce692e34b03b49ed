"""ConvNeXt (Liu et al., 2022), as `ConvNeXt` in timm/models/convnext.py, with the heads of open_clip/timm_model.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.images.preprocess import Preprocess
from numpyclip.model import layout, ops
from numpyclip.model.config import ConvNeXtConfig
from numpyclip.model.layers import LayerNorm, Linear, fold_pixels
from numpyclip.model.ops import Array
from numpyclip.model.source import Source
from numpyclip.model.transformer import MLP
from numpyclip.model.vision.convolution import (
    ChannelConvolution,
    ConvolutionMLP,
    Step,
    head_tensors,
    pixels_innermost,
    read_head,
)
from numpyclip.weights.checkpoint import Checkpoint

_TRUNK = "visual.trunk"


@dataclass(frozen=True, eq=False, repr=False)
class Stem:
    """Squares of 4 by 4 pixels, and a norm."""

    conv: Linear
    norm: LayerNorm

    @classmethod
    def read(cls, source: Source, name: str, eps: float, preprocess: Preprocess) -> "Stem":
        """Take the weights under a name of the checkpoint, and into them what normalises the pixels."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
            weight, bias = checkpoint.copy(f"{name}.0.weight"), checkpoint.copy(f"{name}.0.bias")
            bias += fold_pixels(preprocess, weight)
            return weight.reshape(len(weight), -1), bias

        return cls(Linear(*source.derive(name, prepare)), LayerNorm.read(source, f"{name}.1", eps))

    def __call__(self, x: Array) -> Array:  # (3, y, x, b), of 0..255 -> (c, y // 4, x // 4, b)
        y = self.conv(ops.squares(x, 4))
        return self.norm(y.reshape(len(y), -1)).reshape(y.shape)


@dataclass(frozen=True, eq=False, repr=False)
class Downsample:
    """A norm, and squares of 2 by 2 pixels."""

    conv: Linear
    eps: float

    @classmethod
    def read(cls, source: Source, name: str, eps: float) -> "Downsample":
        """Take the weights under a name of the checkpoint; the convolution has no border, so the norm is part of it."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
            weight, bias = checkpoint.copy(f"{name}.1.weight"), checkpoint.copy(f"{name}.1.bias")
            bias += weight.sum(axis=(2, 3)) @ checkpoint.take(f"{name}.0.bias")
            weight *= checkpoint.take(f"{name}.0.weight")[:, np.newaxis, np.newaxis]
            return weight.reshape(len(weight), -1), bias

        return cls(Linear(*source.derive(name, prepare)), eps)

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> (e, y // 2, x // 2, b)
        x = ops.standardize(x.reshape(len(x), -1), self.eps).reshape(x.shape)
        return self.conv(ops.squares(x, 2))


def _read_block(source: Source, name: str, eps: float) -> ConvolutionMLP:
    conv = f"{name}.conv_dw"
    return ConvolutionMLP(
        ChannelConvolution.make(source, conv, lambda at: (at.take(f"{conv}.weight"), at.take(f"{conv}.bias"))),
        MLP(
            Linear.read(source, f"{name}.mlp.fc1", norm=f"{name}.norm"),
            Linear.read(source, f"{name}.mlp.fc2", scale=f"{name}.gamma"),
            "gelu",
        ),
        eps,
    )


@dataclass(frozen=True, eq=False, repr=False)
class ConvNeXt:
    """A stem, four stages of blocks, the mean of all pixels, and a head."""

    config: ConvNeXtConfig
    preprocess: Preprocess
    steps: Sequence[Step]
    head: Step

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: ConvNeXtConfig, embed_dim: int) -> layout.Tensors:
        """List the tensors of this tower."""
        d = config.widths[0]
        yield f"{_TRUNK}.stem.0.weight", (d, 3, 4, 4)
        yield f"{_TRUNK}.stem.0.bias", (d,)
        yield from layout.norm(f"{_TRUNK}.stem.1", d)
        for stage, (count, width) in enumerate(zip(config.layers, config.widths, strict=True)):
            if stage:
                yield from layout.norm(f"{_TRUNK}.stages.{stage}.downsample.0", d)
                yield f"{_TRUNK}.stages.{stage}.downsample.1.weight", (width, d, 2, 2)
                yield f"{_TRUNK}.stages.{stage}.downsample.1.bias", (width,)
            d = width
            for index in range(count):
                block = f"{_TRUNK}.stages.{stage}.blocks.{index}"
                yield f"{block}.conv_dw.weight", (d, 1, 7, 7)
                yield f"{block}.conv_dw.bias", (d,)
                yield from layout.norm(f"{block}.norm", d)
                yield from layout.linear(f"{block}.mlp.fc1", d, 4 * d)
                yield from layout.linear(f"{block}.mlp.fc2", 4 * d, d)
                yield f"{block}.gamma", (d,)
        yield from layout.norm(f"{_TRUNK}.head.norm", d)
        yield from head_tensors(checkpoint, d, embed_dim, config.mlp_head)

    @classmethod
    def read(cls, source: Source, config: ConvNeXtConfig, preprocess: Preprocess) -> "ConvNeXt":
        """Take the weights of this tower from the checkpoint."""
        eps = config.eps
        makers: list[Callable[[], Step]] = [partial(Stem.read, source, f"{_TRUNK}.stem", eps, preprocess)]
        for stage, count in enumerate(config.layers):
            if stage:
                makers.append(partial(Downsample.read, source, f"{_TRUNK}.stages.{stage}.downsample", eps))
            blocks = [f"{_TRUNK}.stages.{stage}.blocks.{index}" for index in range(count)]
            makers.extend(partial(_read_block, source, block, eps) for block in blocks)
        head = read_head(source, f"{_TRUNK}.head.norm", config.mlp_head)
        return cls(config, preprocess, source.sequence(makers), head)

    @property
    def input_resolution(self) -> int:
        """Side of the square picture it takes, in pixels."""
        return self.config.image_size

    def __call__(self, image: NDArray[Any]) -> Array:  # (b, 3, y, x), or (b, y, x, 3) of uint8 -> (b, e)
        x = pixels_innermost(image, self.preprocess)
        for index in range(len(self.steps)):  # no name for the step, as in a transformer
            x = self.steps[index](x)
        embeddings: Array = self.head(ops.standardize(x.mean(axis=(1, 2)), self.config.eps)).T
        return embeddings
