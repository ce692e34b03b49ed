"""FastViT (Vasu et al., 2023) in MobileCLIP's variants, as `FastVit` in timm/models/fastvit.py: fastvit_mci0 to 4.

The first three stages mix pixels by convolutions, the last one or two by attention.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numpyclip.images.preprocess import Preprocess
from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops, reparameterize
from numpyclip.model.attention import Attention, prepare_out_proj
from numpyclip.model.layers import Linear, fold_norm
from numpyclip.model.ops import Array
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.transformer import MLP
from numpyclip.model.transformer_config import EPS
from numpyclip.model.vision.convolution import (
    Convolution,
    ConvolutionalTower,
    ConvolutionMLP,
    Step,
    batch_norm,
    normalized_innermost,
)
from numpyclip.model.vision.head import Head
from numpyclip.model.vision.vision_config import FASTVIT_HEAD_WIDTH, FastViTConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

_TRUNK = "visual.trunk"


@dataclass(frozen=True, eq=False, repr=False)
class SqueezeExcite:
    """Squeeze-and-excitation (Hu et al., 2018): scale each channel, given the means of all channels."""

    fc1: Linear
    fc2: Linear

    @staticmethod
    def tensors(checkpoint: Checkpoint, name: str, d: int) -> expected.Tensors:
        """List the tensors under a name."""
        hidden = checkpoint.shape(f"{name}.fc1.weight", 2)[0]
        yield from expected.linear(f"{name}.fc1", d, hidden)
        yield from expected.linear(f"{name}.fc2", hidden, d)

    @classmethod
    def read(cls, weights: WeightReader, name: str) -> "SqueezeExcite":
        """Read the weights under a name of the checkpoint."""
        return cls(Linear.read(weights, f"{name}.fc1"), Linear.read(weights, f"{name}.fc2"))

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> the same shape, in place
        weights = ops.sigmoid(self.fc2(ops.relu(self.fc1(x.mean(axis=(1, 2))))))  # (c, b)
        x *= weights[:, np.newaxis, np.newaxis]
        return x


@dataclass(frozen=True, eq=False, repr=False)
class ActivatedConvolution:
    """A convolution, maybe squeeze-and-excitation, and GELU."""

    conv: Convolution
    squeeze: SqueezeExcite | None

    @classmethod
    def read(cls, weights: WeightReader, name: str, add: reparameterize.Prepare, stride: int) -> Step:
        """Read the weights under a name of the checkpoint, whose branches a function adds."""
        squeeze = SqueezeExcite.read(weights, f"{name}.se") if f"{name}.se.fc1.weight" in weights.checkpoint else None
        prepare = partial(reparameterize.fuse, name=name, branches=add)
        return cls(Convolution.make(weights, name, prepare, stride), squeeze)

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> (e, y / stride, x / stride, b)
        x = self.conv(x)
        if self.squeeze is not None:
            x = self.squeeze(x)
        return ops.in_pieces(ops.gelu, x)


@dataclass(frozen=True, eq=False, repr=False)
class RepMixerBlock:
    """Mix the pixels within each channel, then the channels of each pixel."""

    token_mixer: Convolution
    mlp: ConvolutionMLP

    @staticmethod
    def tensors(checkpoint: Checkpoint, name: str, d: int, config: FastViTConfig) -> expected.Tensors:
        """List the tensors under a name."""
        mixer, shape = f"{name}.token_mixer", (d, 1, 3, 3)
        yield from reparameterize.either(checkpoint, mixer, shape, reparameterize.rep_mixer(mixer, shape, scale=True))
        yield from _mlp_tensors(name, d, config)
        yield f"{name}.layer_scale.gamma", (d,)

    @classmethod
    def read(cls, weights: WeightReader, name: str, config: FastViTConfig) -> "RepMixerBlock":
        """Read the weights under a name of the checkpoint."""
        mixer = f"{name}.token_mixer"
        prepare = partial(reparameterize.fuse, name=mixer, branches=reparameterize.add_rep_mixer)
        return cls(Convolution.make(weights, mixer, prepare), _read_mlp(weights, name, f"{name}.layer_scale"))

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> the same shape
        return self.mlp(self.token_mixer(x))


@dataclass(frozen=True, eq=False, repr=False)
class AttentionBlock:
    """Attention among the pixels of each image, then mix the channels of each pixel.

    The norm before attention is a layer norm, with `eps`, or folded into the weights.
    """

    attn: Attention
    mlp: ConvolutionMLP
    eps: float | None

    @staticmethod
    def tensors(checkpoint: Checkpoint, name: str, d: int, config: FastViTConfig) -> expected.Tensors:
        """List the tensors under a name."""
        yield from (expected.norm if config.layer_norm else expected.batch_norm)(f"{name}.norm", d)
        yield f"{name}.token_mixer.qkv.weight", (3 * d, d)
        yield from expected.linear(f"{name}.token_mixer.proj", d, d)
        yield f"{name}.layer_scale_1.gamma", (d,)
        yield from _mlp_tensors(name, d, config)
        yield f"{name}.layer_scale_2.gamma", (d,)

    @classmethod
    def read(cls, weights: WeightReader, name: str, config: FastViTConfig) -> "AttentionBlock":
        """Read the weights under a name of the checkpoint."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, ...]:
            weight = checkpoint.copy(f"{name}.token_mixer.qkv.weight")
            d = weight.shape[1]
            bias = np.zeros(3 * d, np.float32)
            if config.layer_norm:
                fold_norm(checkpoint, f"{name}.norm", weight, bias)
            else:
                scale, shift = batch_norm(checkpoint, f"{name}.norm")
                bias += weight @ shift
                weight *= scale
            query_scale = np.float32(1 / math.sqrt(FASTVIT_HEAD_WIDTH))
            weight[:d] *= query_scale
            scale_name = f"{name}.layer_scale_1.gamma"
            out_proj = prepare_out_proj(checkpoint, f"{name}.token_mixer.proj", bias[2 * d :], scale=scale_name)
            return weight, bias[:d] * query_scale, *out_proj

        in_proj, query_bias, out_weight, out_bias = weights.derive(f"{name}.token_mixer", prepare)
        attn = Attention(in_proj, query_bias, Linear(out_weight, out_bias), len(query_bias) // FASTVIT_HEAD_WIDTH)
        return cls(attn, _read_mlp(weights, name, f"{name}.layer_scale_2"), EPS if config.layer_norm else None)

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> the same shape
        c, _, _, b = x.shape
        pixels = np.ascontiguousarray(x.reshape(c, -1, b).swapaxes(1, 2)).reshape(c, -1)  # (c, b n): attention's order
        if self.eps is not None:
            pixels = ops.standardize(pixels, self.eps)
        mixed = self.attn(pixels, TokenLayout(b)).reshape(c, b, -1).swapaxes(1, 2)
        return self.mlp(x + mixed.reshape(x.shape))


def _mlp_tensors(block: str, d: int, config: FastViTConfig) -> expected.Tensors:
    yield from reparameterize.normed(f"{block}.mlp.conv", (d, 1, 7, 7))
    yield from expected.linear(f"{block}.mlp.fc1", d, config.mlp_ratio * d)
    yield from expected.linear(f"{block}.mlp.fc2", config.mlp_ratio * d, d)


def _read_mlp(weights: WeightReader, block: str, scale: str) -> ConvolutionMLP:
    conv = f"{block}.mlp.conv"
    fc1 = Linear.read(weights, f"{block}.mlp.fc1")
    fc2 = Linear.read(weights, f"{block}.mlp.fc2", scale=f"{scale}.gamma")
    convolution = Convolution.make(weights, conv, partial(reparameterize.take_normed, name=conv))
    return ConvolutionMLP(convolution, MLP(fc1, fc2, "gelu"), None)


@dataclass(frozen=True, eq=False, repr=False)
class FastViT(ConvolutionalTower):
    """A stem of three convolutions, four or five stages, one more convolution, and a head."""

    config: FastViTConfig

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: FastViTConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower."""
        for step in _steps(checkpoint, config):
            yield from step.tensors
        yield from Head.tensors(checkpoint, config, embed_dim)

    @classmethod
    def read(cls, weights: WeightReader, config: FastViTConfig, preprocess: Preprocess) -> "FastViT":
        """Read the weights of this tower."""
        makers = [partial(step.read, weights) for step in _steps(weights.checkpoint, config)]
        return cls(config, preprocess, weights.blocks(makers), Head.read(weights, config))

    def _pixels(self, image: NDArray[Any]) -> Array:
        return normalized_innermost(image, self.preprocess)

    def _count_steps(self, layer: int) -> int:
        stages = range(layer)
        downsampling = 2 * max(layer - 1, 0)
        return 3 + sum(self.config.layers[stage] + self.config.has_attention(stage) for stage in stages) + downsampling


class _Reader(NamedTuple):
    """A step of the tower: the tensors that it expects, and how it is read."""

    tensors: expected.Tensors
    read: Callable[[WeightReader], Step]


def _steps(checkpoint: Checkpoint, config: FastViTConfig) -> Iterator[_Reader]:
    d, scale = config.widths[0], config.stem_scale
    yield _mobile_one(checkpoint, f"{_TRUNK}.stem.0", (d, 3, 3, 3), 2, scale=scale)
    yield _mobile_one(checkpoint, f"{_TRUNK}.stem.1", (d, 1, 3, 3), 2, scale=scale)
    yield _mobile_one(checkpoint, f"{_TRUNK}.stem.2", (d, d))
    for stage, d in enumerate(config.widths):
        name = f"{_TRUNK}.stages.{stage}"
        if stage:
            large = _large_kernel(checkpoint, f"{name}.downsample.proj.0", d)
            is_squeezed = config.squeeze and stage >= 2
            yield _squeezed(large, checkpoint, f"{name}.downsample.proj.0", d) if is_squeezed else large
            yield _mobile_one(checkpoint, f"{name}.downsample.proj.1", (d, d))
        if config.has_attention(stage):
            yield _position(checkpoint, f"{name}.pos_emb", d)
        kind = AttentionBlock if config.has_attention(stage) else RepMixerBlock
        for index in range(config.layers[stage]):
            block = f"{name}.blocks.{index}"
            yield _Reader(kind.tensors(checkpoint, block, d, config), partial(kind.read, name=block, config=config))
    final = _mobile_one(checkpoint, f"{_TRUNK}.final_conv", (2 * d, 1, 3, 3), scale=True)
    yield _squeezed(final, checkpoint, f"{_TRUNK}.final_conv", 2 * d)


def _mobile_one(
    checkpoint: Checkpoint, name: str, shape: expected.Shape, stride: int = 1, scale: bool = False
) -> _Reader:
    branches = reparameterize.mobile_one(name, shape, scale, identity=len(shape) == 2)
    tensors = reparameterize.either(checkpoint, name, shape, branches)
    add = reparameterize.add_mobile_one
    return _Reader(tensors, partial(ActivatedConvolution.read, name=name, add=add, stride=stride))


def _large_kernel(checkpoint: Checkpoint, name: str, d: int) -> _Reader:
    tensors = reparameterize.either(checkpoint, name, (d, 1, 7, 7), reparameterize.large_kernel(name, d))
    add = reparameterize.add_large_kernel
    return _Reader(tensors, partial(ActivatedConvolution.read, name=name, add=add, stride=2))


def _position(checkpoint: Checkpoint, name: str, d: int) -> _Reader:
    tensors = reparameterize.either(checkpoint, name, (d, 1, 7, 7), reparameterize.position(name, d))
    prepare = partial(reparameterize.fuse, name=name, branches=reparameterize.add_position)
    return _Reader(tensors, partial(Convolution.make, name=name, prepare=prepare))


def _squeezed(step: _Reader, checkpoint: Checkpoint, name: str, d: int) -> _Reader:
    return step._replace(tensors=chain(step.tensors, SqueezeExcite.tensors(checkpoint, f"{name}.se", d)))
