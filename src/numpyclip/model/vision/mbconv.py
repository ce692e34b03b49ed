"""The convolutional stages before a ViTamin's transformer (Chen et al., 2024), as in timm/models/vitamin.py."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.images.preprocess import Preprocess
from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.blocks import Blocks
from numpyclip.model.layers import LayerNorm, Linear
from numpyclip.model.ops import Array
from numpyclip.model.vision import feature_maps
from numpyclip.model.vision.convolution import Convolution, Step, normalized_innermost
from numpyclip.model.vision.vision_config import StemConfig
from numpyclip.model.weight_reader import WeightReader

EPS = 1e-6
_EXPANSION = 4  # channels within a block, over those of its output


def _with_bias(weights: WeightReader, name: str, stride: int = 1) -> Convolution:
    return Convolution.make(weights, name, lambda at: (at.take(f"{name}.weight"), at.take(f"{name}.bias")), stride)


def _norm(x: Array, norm: LayerNorm) -> Array:  # of the channels of each pixel: (c, y, x, b) -> the same shape
    return norm(x.reshape(len(x), -1)).reshape(x.shape)


@dataclass(frozen=True, eq=False, repr=False)
class NormedConvolution:
    """A norm, maybe GELU, and a zero-padded convolution."""

    norm: LayerNorm
    conv: Convolution
    gelu: bool

    @classmethod
    def read(
        cls, weights: WeightReader, names: tuple[str, str], *, stride: int = 1, gelu: bool = False
    ) -> "NormedConvolution":
        """Read the weights of a norm and a convolution."""
        norm, conv = names
        return cls(LayerNorm.read(weights, norm, EPS), _with_bias(weights, conv, stride), gelu)

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> (e, y / stride, x / stride, b)
        x = _norm(x, self.norm)
        return self.conv(ops.in_pieces(ops.gelu, x) if self.gelu else x)


@dataclass(frozen=True, eq=False, repr=False)
class MBConvBlock:
    """A residual block: a norm, widen to many channels, convolve each, narrow."""

    widen: Linear  # with the norm folded in
    conv: Convolution
    narrow: Linear
    expand: Linear | None  # of the shortcut, where the number of channels changes

    @staticmethod
    def tensors(name: str, c: int, d: int, stride: int) -> expected.Tensors:
        """List the tensors under a name."""
        hidden = _EXPANSION * d
        if c != d:
            yield from expected.linear(f"{name}.shortcut.expand" if stride > 1 else f"{name}.shortcut", c, d)
        yield from expected.norm(f"{name}.pre_norm", c)
        yield from expected.linear(f"{name}.conv1_1x1", c, hidden)
        yield f"{name}.conv2_kxk.weight", (hidden, 1, 3, 3)
        yield f"{name}.conv2_kxk.bias", (hidden,)
        yield from expected.linear(f"{name}.conv3_1x1", hidden, d)

    @classmethod
    def read(cls, weights: WeightReader, name: str, stride: int) -> "MBConvBlock":
        """Read the weights under a name of the checkpoint."""
        expands = f"{name}.shortcut.expand.weight" in weights.checkpoint
        return cls(
            Linear.read(weights, f"{name}.conv1_1x1", norm=f"{name}.pre_norm"),
            _with_bias(weights, f"{name}.conv2_kxk", stride),
            Linear.read(weights, f"{name}.conv3_1x1"),
            Linear.read(weights, f"{name}.shortcut.expand") if expands else None,
        )

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> (d, y / stride, x / stride, b)
        y = ops.standardize(x.reshape(len(x), -1), EPS).reshape(x.shape)
        y = ops.in_pieces(ops.gelu, self.widen(y))
        y = ops.in_pieces(ops.gelu, self.conv(y))
        if self.conv.stride > 1:
            x = feature_maps.average_pool3x3(x)
        y = self.narrow(y)
        y += x if self.expand is None else self.expand(x)
        return y


@dataclass(frozen=True, eq=False, repr=False)
class MBConvStages:
    """Two convolutions, stages of blocks that each halve the sides, and a last convolution that halves them again."""

    first: Convolution
    steps: Blocks[Step]
    preprocess: Preprocess

    @staticmethod
    def tensors(name: str, config: StemConfig, width: int) -> expected.Tensors:
        """List the tensors under a name."""
        assert config.width is not None
        c = config.width
        for index, channels in ((1, 3), (2, c)):
            yield f"{name}.stem.conv{index}.weight", (c, channels, 3, 3)
            yield f"{name}.stem.conv{index}.bias", (c,)
        yield from expected.norm(f"{name}.stem.norm1", c)
        for stage, (d, layers) in enumerate(zip(config.widths, config.layers, strict=True)):
            for index in range(layers):
                yield from MBConvBlock.tensors(f"{name}.stages.{stage}.{index}", c, d, 1 if index else 2)
                c = d
        yield from expected.norm(f"{name}.pool.norm", c)
        yield f"{name}.pool.proj.weight", (width, c, 3, 3)
        yield f"{name}.pool.proj.bias", (width,)

    @classmethod
    def read(cls, weights: WeightReader, name: str, config: StemConfig, preprocess: Preprocess) -> "MBConvStages":
        """Read the weights under a name of the checkpoint."""
        stem, last = (f"{name}.stem.norm1", f"{name}.stem.conv2"), (f"{name}.pool.norm", f"{name}.pool.proj")
        makers: list[Callable[[], Step]] = [partial(NormedConvolution.read, weights, stem, gelu=True)]
        makers += [
            partial(MBConvBlock.read, weights, f"{name}.stages.{stage}.{index}", 1 if index else 2)
            for stage, layers in enumerate(config.layers)
            for index in range(layers)
        ]
        makers.append(partial(NormedConvolution.read, weights, last, stride=2))
        return cls(_with_bias(weights, f"{name}.stem.conv1", stride=2), weights.blocks(makers), preprocess)

    def __call__(self, image: NDArray[Any]) -> Array:  # (b, 3, y, x), or (b, y, x, 3) of uint8 -> (d, b, y x / 256)
        x = self.steps.run(self.first(normalized_innermost(image, self.preprocess)))
        tokens: Array = np.ascontiguousarray(x.reshape(len(x), -1, x.shape[-1]).swapaxes(1, 2))
        return tokens
