"""Layers as callable records of weights, prepared for speed when they are read from a checkpoint.

The scale and shift of a norm are folded into the next matrix, the root of the head's width into the queries, and biases
into later ones. Names are those of the checkpoint.
"""

from dataclasses import dataclass

import numpy as np

from numpyclip.images.preprocess import Preprocess
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class Linear:
    """A matrix (e, d) and a bias (e,)."""

    weight: Array
    bias: Array

    @classmethod
    def read(cls, weights: WeightReader, name: str, norm: str | None = None, scale: str | None = None) -> "Linear":
        """Read the weights under a name of the checkpoint; fold in the norm before and the scale after."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
            if norm is None and scale is None:
                return checkpoint.take(f"{name}.weight"), checkpoint.take(f"{name}.bias")
            weight, bias = checkpoint.copy(f"{name}.weight"), checkpoint.copy(f"{name}.bias")
            if norm is not None:
                fold_norm(checkpoint, norm, weight, bias)
            if scale is not None:
                fold_scale(checkpoint, scale, weight, bias)
            return weight, bias

        return cls(*weights.derive(name, prepare))

    @property
    def output_dim(self) -> int:
        return len(self.bias)

    def __call__(self, x: Array) -> Array:  # (d, ...) -> (e, ...)
        return ops.linear(x, self.weight, self.bias)


def fold_norm(checkpoint: Checkpoint, norm: str, weight: Array, bias: Array) -> None:
    """Turn W (scale x + shift) + b into W x + b, in place."""
    bias += weight @ checkpoint.take(f"{norm}.bias")
    weight *= checkpoint.take(f"{norm}.weight")


def fold_scale(checkpoint: Checkpoint, scale: str, weight: Array, bias: Array) -> None:
    """Turn scale (W x + b) into W x + b, in place."""
    weight *= checkpoint.take(scale)[:, np.newaxis]
    bias *= checkpoint.take(scale)


def fold_pixels(preprocess: Preprocess, weight: Array) -> Array:
    """Fold the normalization of pixels into W x + b: scale W (e, 3, p, p) in place, return what is added to b.

    W (s x - mean) / std is (s W / std) x - W mean / std, where the scale s is 1 / 255 of most models.
    """
    mean, std = np.array(preprocess.mean, np.float32), np.array(preprocess.std, np.float32)
    bias: Array = -(weight.sum(axis=(2, 3)) @ (mean / std))
    weight /= (np.float32(1 / preprocess.scale) * std).reshape(3, 1, 1)
    return bias


@dataclass(frozen=True, eq=False, repr=False)
class Affine:
    """A scale and a shift (d,)."""

    weight: Array
    bias: Array

    @classmethod
    def read(cls, weights: WeightReader, name: str) -> "Affine":
        """Read the weights under a name of the checkpoint."""
        return cls(*weights.derive(name, lambda at: (at.take(f"{name}.weight"), at.take(f"{name}.bias"))))

    @property
    def output_dim(self) -> int:
        return len(self.bias)

    def __call__(self, x: Array) -> Array:  # (d, n) -> (d, n), in place
        x *= self.weight[:, np.newaxis]
        x += self.bias[:, np.newaxis]
        return x


@dataclass(frozen=True, eq=False, repr=False)
class LayerNorm:
    """A layer norm (Ba et al., 2016)."""

    affine: Affine
    eps: float

    @classmethod
    def read(cls, weights: WeightReader, name: str, eps: float) -> "LayerNorm":
        """Read the weights under a name of the checkpoint."""
        return cls(Affine.read(weights, name), eps)

    def __call__(self, x: Array) -> Array:  # (d, n) -> (d, n)
        return self.affine(ops.standardize(x, self.eps))


def read_projection(weights: WeightReader, name: str, norm: str | None = None) -> Linear:
    """Read the projection at the end of a tower; fold in the scale and shift of the norm before.

    In openai/CLIP it is a matrix (d, e) without a bias; elsewhere it may be a layer, whose weight is (e, d).
    """

    def prepare(checkpoint: Checkpoint) -> tuple[Array, Array]:
        if name in checkpoint:
            weight = np.ascontiguousarray(checkpoint.take(name).T)
        else:
            weight = checkpoint.copy(f"{name}.weight")
        has_bias = f"{name}.bias" in checkpoint
        bias = checkpoint.copy(f"{name}.bias") if has_bias else np.zeros(len(weight), np.float32)
        if norm is not None:
            fold_norm(checkpoint, norm, weight, bias)
        return weight, bias

    return Linear(*weights.derive(name, prepare))
