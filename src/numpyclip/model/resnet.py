"""ResNet (He et al., 2016) with three stem convolutions, average pooling for strides, and attention at the end.

As `ModifiedResNet` in clip/model.py of openai/CLIP; here channels come last, so that a 1 x 1 convolution is a
plain product.
"""

from dataclasses import dataclass

import numpy as np

from numpyclip.model import ops
from numpyclip.model.config import EPS, RESNET_STRIDE, CLIPConfig, ResNetConfig
from numpyclip.model.layers import Linear
from numpyclip.model.ops import Array
from numpyclip.weights.checkpoint import Checkpoint


def _frozen(array: Array) -> Array:
    """Make an array that was computed from weights as read-only as the weights are."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False, repr=False)
class BatchNorm:
    """The statistics seen in training, as one scale and one shift per channel."""

    scale: Array
    shift: Array

    @classmethod
    def read(cls, checkpoint: Checkpoint, name: str, c: int) -> "BatchNorm":
        """Take the weights under a name of the checkpoint."""
        weight, bias, mean, variance = (
            checkpoint.take(f"{name}.{field}", (c,)) for field in ("weight", "bias", "running_mean", "running_var")
        )
        scale: Array = weight / np.sqrt(variance + np.float32(EPS))
        return cls(_frozen(scale), _frozen(bias - mean * scale))

    def __call__(self, x: Array) -> Array:  # (..., c) -> (..., c)
        return x * self.scale + self.shift


@dataclass(frozen=True, eq=False, repr=False)
class Conv1x1:
    """A convolution that looks at one pixel: a product with a matrix (e, c)."""

    weight: Array

    @classmethod
    def read(cls, checkpoint: Checkpoint, name: str, c: int, e: int) -> "Conv1x1":
        """Take the weights under a name of the checkpoint."""
        return cls(checkpoint.take(f"{name}.weight", (e, c, 1, 1)).reshape(e, c))

    def __call__(self, x: Array) -> Array:  # (b, y, x, c) -> (b, y, x, e)
        return ops.linear(x, self.weight)


@dataclass(frozen=True, eq=False, repr=False)
class Conv3x3:
    """A convolution over windows of 3 by 3 pixels, as a matrix (9 c, e)."""

    weight: Array
    stride: int = 1

    @classmethod
    def read(cls, checkpoint: Checkpoint, name: str, c: int, e: int, stride: int = 1) -> "Conv3x3":
        """Take the weights under a name of the checkpoint."""
        weight = checkpoint.take(f"{name}.weight", (e, c, 3, 3)).transpose(2, 3, 1, 0)  # -> (3, 3, c, e)
        return cls(_frozen(weight.reshape(9 * c, e)), stride)

    def __call__(self, x: Array) -> Array:  # (b, y, x, c) -> (b, y / stride, x / stride, e)
        return ops.convolve3x3(x, self.weight, self.stride)


@dataclass(frozen=True, eq=False, repr=False)
class Bottleneck:
    """Narrow, convolve, widen, and add what came in."""

    conv1: Conv1x1
    bn1: BatchNorm
    conv2: Conv3x3
    bn2: BatchNorm
    conv3: Conv1x1
    bn3: BatchNorm
    downsample: tuple[Conv1x1, BatchNorm] | None
    stride: int

    @classmethod
    def read(cls, checkpoint: Checkpoint, name: str, c: int, width: int, stride: int) -> "Bottleneck":
        """Take the weights under a name of the checkpoint."""
        shortcut = None
        if stride > 1 or c != 4 * width:
            shortcut = (
                Conv1x1.read(checkpoint, f"{name}.downsample.0", c, 4 * width),
                BatchNorm.read(checkpoint, f"{name}.downsample.1", 4 * width),
            )
        return cls(
            Conv1x1.read(checkpoint, f"{name}.conv1", c, width),
            BatchNorm.read(checkpoint, f"{name}.bn1", width),
            Conv3x3.read(checkpoint, f"{name}.conv2", width, width),
            BatchNorm.read(checkpoint, f"{name}.bn2", width),
            Conv1x1.read(checkpoint, f"{name}.conv3", width, 4 * width),
            BatchNorm.read(checkpoint, f"{name}.bn3", 4 * width),
            shortcut,
            stride,
        )

    def __call__(self, x: Array) -> Array:  # (b, y, x, c) -> (b, y / stride, x / stride, 4 width)
        y = ops.relu(self.bn1(self.conv1(x)))
        y = ops.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(ops.average_pool(y, self.stride)))
        if self.downsample is not None:
            conv, bn = self.downsample
            x = bn(conv(ops.average_pool(x, self.stride)))
        return ops.relu(y + x)


@dataclass(frozen=True, eq=False, repr=False)
class AttentionPool:
    """The average of all positions asks, every position answers."""

    positional_embedding: Array  # (n, d)
    q_proj: Linear
    k_proj: Linear
    v_proj: Linear
    c_proj: Linear
    heads: int

    @classmethod
    def read(cls, checkpoint: Checkpoint, name: str, config: CLIPConfig) -> "AttentionPool":
        """Take the weights under a name of the checkpoint."""
        vision = config.vision
        d, n = vision.width * 32, (vision.image_size // RESNET_STRIDE) ** 2 + 1
        return cls(
            checkpoint.take(f"{name}.positional_embedding", (n, d)),
            Linear.read(checkpoint, f"{name}.q_proj", d, d),
            Linear.read(checkpoint, f"{name}.k_proj", d, d),
            Linear.read(checkpoint, f"{name}.v_proj", d, d),
            Linear.read(checkpoint, f"{name}.c_proj", d, config.embed_dim),
            vision.heads,
        )

    def __call__(self, x: Array) -> Array:  # (b, y, x, d) -> (b, e)
        b, rows, columns, d = x.shape
        x = x.reshape(b, rows * columns, d)
        x = np.concatenate([x.mean(axis=1, keepdims=True), x], axis=1) + self.positional_embedding  # (b, n, d)
        q, k, v = self.q_proj(x[:, :1]), self.k_proj(x), self.v_proj(x)
        mixed = ops.attention(*(ops.split_heads(part, self.heads) for part in (q, k, v)))  # (b, h, 1, k)
        return self.c_proj(ops.join_heads(mixed)[:, 0])


@dataclass(frozen=True, eq=False, repr=False)
class ModifiedResNet:
    """A stem of three convolutions, four stages of blocks, and attention pooling."""

    config: ResNetConfig
    stem: tuple[tuple[Conv3x3, BatchNorm], ...]
    blocks: tuple[Bottleneck, ...]
    attnpool: AttentionPool

    @classmethod
    def read(cls, checkpoint: Checkpoint, config: CLIPConfig) -> "ModifiedResNet":
        """Take the weights of this tower from the checkpoint."""
        vision = config.vision
        assert isinstance(vision, ResNetConfig)
        width = vision.width
        channels = [3, width // 2, width // 2, width]
        stem = tuple(
            (
                Conv3x3.read(checkpoint, f"visual.conv{i}", channels[i - 1], channels[i], stride=2 if i == 1 else 1),
                BatchNorm.read(checkpoint, f"visual.bn{i}", channels[i]),
            )
            for i in (1, 2, 3)
        )
        blocks, c = [], width
        for stage, count in enumerate(vision.layers):
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                name = f"visual.layer{stage + 1}.{index}"
                blocks.append(Bottleneck.read(checkpoint, name, c, width * 2**stage, stride))
                c = 4 * width * 2**stage
        return cls(vision, stem, tuple(blocks), AttentionPool.read(checkpoint, "visual.attnpool", config))

    @property
    def input_resolution(self) -> int:
        """Side of the square picture it takes, in pixels."""
        return self.config.image_size

    def __call__(self, image: Array) -> Array:  # (b, 3, y, x) -> (b, e)
        x = image.transpose(0, 2, 3, 1)  # (b, y, x, 3)
        for conv, bn in self.stem:
            x = ops.relu(bn(conv(x)))
        x = ops.average_pool(x, 2)
        for block in self.blocks:
            x = block(x)
        return self.attnpool(x)
