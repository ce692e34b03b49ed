"""Aesthetic scores of images, by the small networks of LAION that map an embedding to a score.

Two kinds of files are published, both for embeddings of unit length of OpenAI's models:

- ``sa_0_4_vit_b_32_linear.pth`` and others of LAION-AI/aesthetic-predictor: one linear layer.
- ``sac+logos+ava1-l14-linearMSE.pth`` of christophschuhmann/improved-aesthetic-predictor, for ViT-L/14: five linear
  layers with dropout between them. There is no activation between them, so they are fused into one here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.errors import CheckpointError, InputError, UnsupportedCheckpointError
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.tasks.learning.examples import checked_embeddings
from numpyclip.weights.checkpoint import Checkpoint, is_floating
from numpyclip.weights.read import read

_PREFIXES = (("",), tuple(f"layers.{number}." for number in (0, 2, 4, 6, 7)))  # 1, 3 and 5 are dropout


@dataclass(frozen=True, eq=False)
class AestheticPredictor:
    """A linear layer from embeddings to scores.

    Attributes
    ----------
    weight : ndarray of shape (e,), dtype=float32
    bias : float32
    """

    weight: Array
    bias: np.float32

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> AestheticPredictor:
        """Read a published file.

        Raises
        ------
        CheckpointError
            If it holds another network, or is damaged.
        """
        weight, bias = np.ones((1, 1)), np.zeros(1)
        for matrix, shift in reversed(_layers(read(Path(path)))):  # (d, e), (d); from the last, so that weight is a row
            weight, bias = weight @ matrix, weight @ shift + bias
        predictor = cls(weight[0].astype(np.float32), np.float32(bias[0]))
        if not (np.isfinite(predictor.weight).all() and np.isfinite(predictor.bias)):
            raise CheckpointError(
                f"{path}: holds numbers that are not finite; expected the weights of a trained network."
            )
        return predictor

    @property
    def embed_dim(self) -> int:
        """Dimensions of the embeddings that it scores."""
        return len(self.weight)

    def __call__(self, embeddings: ArrayLike) -> Array:
        """Score embeddings of any length, (n, e) -> (n,): most images get 4 to 7, and 10 is best."""
        array = checked_embeddings(embeddings)
        self.check(array.shape[1])
        scores: Array = ops.normalize(array) @ self.weight + self.bias
        return scores

    def check(self, embed_dim: int) -> None:
        """Raise InputError unless it scores embeddings of so many dimensions."""
        if embed_dim != self.embed_dim:
            known = {512: "ViT-B/32 or ViT-B/16", 768: "ViT-L/14"}.get(self.embed_dim)
            hint = f" It is probably meant for OpenAI's {known}." if known else ""
            raise InputError(
                f"the aesthetic predictor is for embeddings of {self.embed_dim} dimensions, not of {embed_dim}.{hint}"
            )


def _layers(checkpoint: Checkpoint) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return weights (d, e) and biases (d) of the layers, in order, as float64: a product of five is rounded once."""
    arrays = checkpoint.arrays
    for prefixes in _PREFIXES:
        names = [(f"{prefix}weight", f"{prefix}bias") for prefix in prefixes]
        if set(arrays) == {name for pair in names for name in pair} and _are_layers(checkpoint, names):
            weights, biases = (
                [checkpoint.take(name).astype(np.float64) for name in column] for column in zip(*names, strict=True)
            )
            return list(zip(weights, biases, strict=True))
    found = ", ".join(f"{name:.40} {array.shape}" for name, array in list(arrays.items())[:4])
    raise UnsupportedCheckpointError(
        f"{checkpoint.path}: holds {len(arrays)} tensors, such as {found}; expected an aesthetic predictor of LAION: "
        "weight (1, n) and bias (1), or the five linear layers 0, 2, 4, 6, 7 of the MLP without activations."
    )


def _are_layers(checkpoint: Checkpoint, names: list[tuple[str, str]]) -> bool:
    """Tell whether each layer takes what the one before it gives, and the last one gives one number."""
    arrays = checkpoint.arrays
    shapes = [(arrays[weight].shape, arrays[bias].shape) for weight, bias in names]
    taken = [weight[1:] for weight, _ in shapes[1:]] + [(1,)]
    return all(map(is_floating, arrays.values())) and all(
        len(weight) == 2 and weight[1] and bias == weight[:1] == next_one
        for (weight, bias), next_one in zip(shapes, taken, strict=True)
    )
