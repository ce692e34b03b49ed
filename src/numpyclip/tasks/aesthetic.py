"""How pleasing a picture is to people on average, by the small networks of LAION that judge embeddings.

Two kinds of files are published, both for embeddings of unit length of OpenAI's models:

- ``sa_0_4_vit_b_32_linear.pth`` and others of LAION-AI/aesthetic-predictor: one linear layer.
- ``sac+logos+ava1-l14-linearMSE.pth`` of christophschuhmann/improved-aesthetic-predictor, for ViT-L/14: five linear
  layers with dropout between them. There is no activation between them, so that they are one linear layer, too; and as
  one they are computed here.
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

_LINEAR = ("",)
_MLP = tuple(f"layers.{number}." for number in (0, 2, 4, 6, 7))  # the numbers between are those of dropout


@dataclass(frozen=True, eq=False)
class AestheticPredictor:
    """A score for each embedding: weights (e), and a bias.

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
        checkpoint = read(Path(path))
        layers = _layers(checkpoint)
        weight, bias = layers[-1]  # (1, d), (1)
        for matrix, shift in layers[-2::-1]:  # (d, e), (d), from the last to the first: what is multiplied is one row
            weight, bias = weight @ matrix, weight @ shift + bias
        predictor = cls(weight[0].astype(np.float32), np.float32(bias[0]))
        if not (np.isfinite(predictor.weight).all() and np.isfinite(predictor.bias)):
            raise CheckpointError(f"{path}: holds numbers that are not finite; expected those of a trained network.")
        return predictor

    @property
    def embed_dim(self) -> int:
        """Length of the embeddings that it judges."""
        return len(self.weight)

    def __call__(self, embeddings: ArrayLike) -> Array:
        """Score embeddings (n, e), of whatever length -> (n,): most pictures get 4 to 7, where 10 is best.

        Raises
        ------
        InputError
            If they are not as long as those that it was trained on.
        """
        array = checked_embeddings(embeddings)
        self.check(array.shape[1])
        scores: Array = ops.normalize(array) @ self.weight + self.bias
        return scores

    def check(self, embed_dim: int) -> None:
        """Raise InputError unless it judges embeddings of such a length."""
        if embed_dim != self.embed_dim:
            known = {512: "ViT-B/32 or ViT-B/16", 768: "ViT-L/14"}.get(self.embed_dim)
            hint = f" It is probably meant for OpenAI's {known}." if known else ""
            raise InputError(
                f"the aesthetic predictor judges embeddings of {self.embed_dim} numbers, not of {embed_dim}.{hint}"
            )


def _layers(checkpoint: Checkpoint) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Take weights (d, e) and biases (d), in their order, as float64: a product of five is rounded once."""
    arrays = checkpoint.arrays
    prefixes = next((each for each in (_LINEAR, _MLP) if set(arrays) == _tensors(each)), ())
    shapes = [(arrays[f"{prefix}weight"].shape, arrays[f"{prefix}bias"].shape) for prefix in prefixes]
    after = [weight[1:] for weight, _ in shapes[1:]] + [(1,)]  # how many numbers the next layer takes
    if not shapes or not all(
        len(weight) == 2 and weight[1] and bias == weight[:1] == taken
        for (weight, bias), taken in zip(shapes, after, strict=True)
    ):
        raise _unsupported(checkpoint)
    if not all(map(is_floating, arrays.values())):
        raise _unsupported(checkpoint)
    return [
        (checkpoint.take(f"{prefix}weight").astype(np.float64), checkpoint.take(f"{prefix}bias").astype(np.float64))
        for prefix in prefixes
    ]


def _tensors(prefixes: tuple[str, ...]) -> set[str]:
    return {f"{prefix}{kind}" for prefix in prefixes for kind in ("weight", "bias")}


def _unsupported(checkpoint: Checkpoint) -> UnsupportedCheckpointError:
    found = ", ".join(f"{name:.40} {array.shape}" for name, array in list(checkpoint.arrays.items())[:4])
    return UnsupportedCheckpointError(
        f"{checkpoint.path}: holds {len(checkpoint.arrays)} tensors, such as {found}; expected an aesthetic predictor "
        "of LAION: weight (1, n) and bias (1), or the five linear layers 0, 2, 4, 6, 7 of the MLP without activations."
    )
