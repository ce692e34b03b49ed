"""A probe: classes learned from examples, for the embeddings of one model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.dual_encoder.clip import CLIP, check_model
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError
from numpyclip.images.open import Picture
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.tasks.learning.examples import are_of_unit_length, checked_embeddings
from numpyclip.tasks.learning.methods import METHODS, Settings, Weights


@dataclass(frozen=True, eq=False, repr=False)
class Probe:
    """A classifier of the embeddings of one model, from `learn` or `read_probe`.

    Attributes
    ----------
    kind : {"linear", "tip", "mean"}
        The method by which it was learned.
    classes : tuple of str
    weights : mapping of str to ndarray
        float32, except the labels of a Tip-Adapter's examples.
    settings : mapping of str to float
        Such as the "c" of a linear probe.
    unit : bool
        Whether it is for embeddings of unit length, and not for those of `encode_image`.
    fingerprint : Fingerprint or None
        Of the model, if it is known.
    model : str
        The model's name, for messages; may be empty.
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
        """Dimensions of the embeddings that it is for."""
        return int(next(array for array in self.weights.values() if array.ndim == 2).shape[1])

    def check(self, fingerprint: Fingerprint | None) -> None:
        """Raise InputError if a fingerprint is not that of the model it was learned with; warn of another precision."""
        if fingerprint is None or self.fingerprint is None:
            return
        if fingerprint.is_comparable(self.fingerprint):
            self.fingerprint.warn_of_precision("the probe", fingerprint)
            return
        name = f" Pass the model that it was learned with: {self.model!r:.100}." if self.model else ""
        difference = self.fingerprint.differences(fingerprint)
        raise InputError(f"the probe is for embeddings of another model ({difference}).{name}")

    def probabilities(self, embeddings: ArrayLike, fingerprint: Fingerprint | None = None) -> Array:
        """Compute the probability of each class.

        Parameters
        ----------
        embeddings : array_like of shape (n, e)
            Of the model it was learned with. If it is for unit length, they are normalized.
        fingerprint : Fingerprint, optional
            Of their model, which is checked.

        Returns
        -------
        ndarray of shape (n, n_classes), dtype=float32
            Every row sums to 1, whether or not an image shows any of the classes.

        Raises
        ------
        InputError
            If the embeddings are of another shape or model, or hold NaN.
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

    def classify(self, model: CLIP, images: Picture | Iterable[Picture], batch_size: int = 32) -> Array:
        """Embed images and return the `probabilities` of the classes, (n, n_classes).

        Raises
        ------
        InputError
            If it was learned with another model, or from embeddings that are not of unit length.
        """
        check_model(model)
        self.check(model.fingerprint)
        return self.probabilities(model.embed_images(images, batch_size))
