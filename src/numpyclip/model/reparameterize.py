"""Reparameterization: parallel convolutions of training, fused into one (RepVGG: Ding et al., 2021).

Each kind has a function that lists the tensors of its branches, and one that fuses them. Names are those of
timm/models/fastvit.py; (e, c) is a 1 x 1 convolution.
"""

from collections.abc import Callable

import numpy as np

from numpyclip.model import expected_tensors as expected
from numpyclip.model.layers import fold_scale
from numpyclip.model.ops import Array
from numpyclip.model.vision.convolution import batch_norm, with_batch_norm
from numpyclip.weights.checkpoint import Checkpoint

Prepare = Callable[[Checkpoint, str], tuple[Array, Array]]


def either(checkpoint: Checkpoint, name: str, shape: expected.Shape, branches: expected.Tensors) -> expected.Tensors:
    """List the fused convolution if the checkpoint has it, else its branches."""
    if f"{name}.reparam_conv.weight" in checkpoint:
        yield f"{name}.reparam_conv.weight", shape
        yield f"{name}.reparam_conv.bias", shape[:1]
    else:
        yield from branches


def fuse(checkpoint: Checkpoint, name: str, branches: Prepare) -> tuple[Array, Array]:
    """Take the fused convolution if the checkpoint has it, else fuse its branches."""
    if f"{name}.reparam_conv.weight" in checkpoint:
        return checkpoint.take(f"{name}.reparam_conv.weight"), checkpoint.take(f"{name}.reparam_conv.bias")
    return branches(checkpoint, name)


def normed(name: str, shape: expected.Shape) -> expected.Tensors:
    """List a convolution with a batch norm."""
    yield f"{name}.conv.weight", shape
    yield from expected.batch_norm(f"{name}.bn", shape[0])


def take_normed(checkpoint: Checkpoint, name: str) -> tuple[Array, Array]:
    """Take a convolution with a batch norm."""
    return with_batch_norm(checkpoint, f"{name}.conv", f"{name}.bn")


def mobile_one(name: str, shape: expected.Shape, scale: bool, identity: bool) -> expected.Tensors:
    """List a convolution, a 1 x 1 convolution and the identity (MobileOne: Vasu et al., 2023), all with norms."""
    yield from normed(f"{name}.conv_kxk.0", shape)
    if scale:
        yield from normed(f"{name}.conv_scale", shape[:2])
    if identity:
        yield from expected.batch_norm(f"{name}.identity", shape[0])


def add_mobile_one(checkpoint: Checkpoint, name: str) -> tuple[Array, Array]:
    """Fuse the branches of `mobile_one`."""
    weight, bias = take_normed(checkpoint, f"{name}.conv_kxk.0")
    centre = _centre(weight)
    if f"{name}.conv_scale.conv.weight" in checkpoint:
        scale_weight, scale_bias = take_normed(checkpoint, f"{name}.conv_scale")
        centre += scale_weight
        bias += scale_bias
    if f"{name}.identity.weight" in checkpoint:
        scale, shift = batch_norm(checkpoint, f"{name}.identity")
        outputs = np.arange(len(centre))
        centre[outputs, outputs % centre.shape[1]] += scale  # the only input, if depthwise
        bias += shift
    return weight, bias


def rep_mixer(name: str, shape: expected.Shape, scale: bool) -> expected.Tensors:
    """List x + scale (mixer(x) - norm(x)), depthwise (FastViT: Vasu et al., 2023)."""
    yield from expected.batch_norm(f"{name}.norm.identity", shape[0])
    yield from mobile_one(f"{name}.mixer", shape, scale, identity=True)
    yield f"{name}.layer_scale.gamma", shape[:1]


def add_rep_mixer(checkpoint: Checkpoint, name: str) -> tuple[Array, Array]:
    """Fuse the branches of `rep_mixer`."""
    weight, bias = add_mobile_one(checkpoint, f"{name}.mixer")
    scale, shift = batch_norm(checkpoint, f"{name}.norm.identity")
    centre = _centre(weight)
    centre -= scale[:, np.newaxis]
    bias -= shift
    fold_scale(checkpoint, f"{name}.layer_scale.gamma", weight.reshape(len(weight), -1), bias)
    centre += np.float32(1)
    return weight, bias


def large_kernel(name: str, e: int) -> expected.Tensors:
    """List depthwise convolutions of 7 by 7 and of 3 by 3 (RepLKNet: Ding et al., 2022)."""
    yield from normed(f"{name}.large_conv", (e, 1, 7, 7))
    yield from normed(f"{name}.small_conv", (e, 1, 3, 3))


def add_large_kernel(checkpoint: Checkpoint, name: str) -> tuple[Array, Array]:
    """Fuse the branches of `large_kernel`."""
    weight, bias = take_normed(checkpoint, f"{name}.large_conv")
    small_weight, small_bias = take_normed(checkpoint, f"{name}.small_conv")
    weight[:, :, 2:-2, 2:-2] += small_weight
    bias += small_bias
    return weight, bias


def position(name: str, d: int) -> expected.Tensors:
    """List a depthwise convolution that is added to its input (CPVT: Chu et al., 2023)."""
    yield f"{name}.pos_enc.weight", (d, 1, 7, 7)
    yield f"{name}.pos_enc.bias", (d,)


def add_position(checkpoint: Checkpoint, name: str) -> tuple[Array, Array]:
    """Fuse the branches of `position`."""
    weight = checkpoint.copy(f"{name}.pos_enc.weight")
    centre = _centre(weight)
    centre += np.float32(1)
    return weight, checkpoint.take(f"{name}.pos_enc.bias")


def _centre(weight: Array) -> Array:
    """View the center of filters, which is a 1 x 1 convolution: (e, c, ...) -> (e, c)."""
    return weight if weight.ndim == 2 else weight[:, :, weight.shape[2] // 2, weight.shape[3] // 2]
