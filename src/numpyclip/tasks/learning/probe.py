"""What was learned from examples: a record that tells pictures apart, and lies in one small file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError
from numpyclip.images.open import Picture
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.tasks.learning.examples import are_of_unit_length, checked_embeddings
from numpyclip.tasks.learning.methods import METHODS, Settings, Weights

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP


@dataclass(frozen=True, eq=False, repr=False)
class Probe:
    """Classes, and what tells them apart in the embeddings of one model. Made by `learn`, or read by `read_probe`.

    Attributes
    ----------
    kind : {"linear", "tip", "mean"}
        By which method it was learned.
    classes : tuple of str
    weights : mapping of str to ndarray
        What the method learned; float32 but for the labels of a Tip-Adapter's examples.
    settings : mapping of str to float
        Such as the "c" of a linear probe.
    unit : bool
        Whether it is for embeddings of unit length, or for those that `encode_image` returns.
    fingerprint : Fingerprint or None
        Of the model whose embeddings it is for, if that is known.
    model : str
        Its name, for messages; perhaps empty.
    """

    kind: str
    classes: tuple[str, ...]
    weights: Weights
    settings: Settings
    unit: bool = True
    fingerprint: Fingerprint | None = None
    model: str = ""

    def __repr__(self) -> str:
        made_with = f", learned with {self.model!r}" if self.model else ""
        return f"Probe({self.kind}, {len(self.classes)} classes, {self.embed_dim} dimensions{made_with})"

    @property
    def embed_dim(self) -> int:
        """Length of the embeddings that it is for."""
        return int(next(array for array in self.weights.values() if array.ndim == 2).shape[1])

    def check(self, fingerprint: Fingerprint | None) -> None:
        """Raise InputError unless embeddings with a fingerprint compare with those it was learned from."""
        if fingerprint is None or self.fingerprint is None or fingerprint == self.fingerprint:
            return
        name = f" Pass the model that it was learned with: {self.model!r:.100}." if self.model else ""
        difference = self.fingerprint.differences(fingerprint)
        raise InputError(f"the probe is for embeddings of another model ({difference}).{name}")

    def probabilities(self, embeddings: ArrayLike, fingerprint: Fingerprint | None = None) -> Array:
        """Say how probable each class is for each picture.

        Parameters
        ----------
        embeddings : array_like of shape (n, e)
            Of the model that it was learned with. For a probe of vectors of unit length, any length will do.
        fingerprint : Fingerprint, optional
            Of the model that made them, which is compared.

        Returns
        -------
        ndarray of shape (n, n_classes), dtype=float32
            Every row sums to 1: that a picture may show something else is not considered.

        Raises
        ------
        InputError
            If the embeddings are of another shape, length or model, or hold NaN.
        """
        self.check(fingerprint)
        array = checked_embeddings(embeddings)
        if array.shape[1] != self.embed_dim:
            raise InputError(
                f"embeddings have shape {array.shape}; expected (n, {self.embed_dim}), as the probe was learned from."
            )
        if self.unit:
            array = ops.normalize(array)
        elif len(array) and are_of_unit_length(array):
            raise InputError("embeddings are of unit length; the probe was learned from what encode_image returns.")
        logits: NDArray[np.floating] = METHODS[self.kind].logits(self.weights, self.settings, array)
        return ops.softmax(logits)

    def classify(self, model: CLIP, pictures: Picture | Iterable[Picture], batch_size: int = 32) -> Array:
        """Say how probable each class is for each picture, which `model` embeds: (n, n_classes).

        Raises
        ------
        InputError
            If it was learned with another model, or from embeddings that are not of unit length.
        """
        self.check(model.fingerprint)
        return self.probabilities(model.embed_images(pictures, batch_size))
