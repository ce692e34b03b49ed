"""Embeddings and what they show, checked; and how they are split to see what was learned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.dual_encoder.validation import captions
from numpyclip.errors import InputError
from numpyclip.model.ops import Array

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP

Labels = NDArray[np.integer]

_UNIT = 1e-3  # by how much lengths of vectors may differ from 1; float16 is better


@dataclass(frozen=True, eq=False)
class Examples:
    """Embeddings of pictures whose classes are known.

    Attributes
    ----------
    embeddings : ndarray of shape (n, e), dtype=float32
        As `embed_images` makes them, or `encode_image`, whose lengths differ.
    labels : ndarray of shape (n,), dtype=integer
        Numbers of their classes.
    classes : tuple of str
        At least two, sorted.
    fingerprint : Fingerprint or None
        Of the model that made the embeddings.
    texts : ndarray of shape (k, e), dtype=float32, or None
        What a product with embeddings of pictures makes logits of: one for every class, for a Tip-Adapter.
    """

    embeddings: Array
    labels: Labels
    classes: tuple[str, ...]
    fingerprint: Fingerprint | None = None
    texts: Array | None = None

    @classmethod
    def of(cls, embeddings: ArrayLike, labels: Iterable[str], fingerprint: Fingerprint | None = None) -> Examples:
        """Make them of embeddings (n, e), the names of their classes (n), and the fingerprint of their model.

        Raises
        ------
        InputError
            If an embedding holds NaN or is infinite, numbers do not match, or there is but one class.
        """
        array = checked_embeddings(embeddings)
        names = list(labels) if isinstance(labels, Iterable) and not isinstance(labels, str) else None
        if names is None or not all(isinstance(name, str) for name in names):
            raise InputError(f"labels are {labels!r:.60}; expected one text for every embedding.")
        if len(names) != len(array):
            raise InputError(f"there are {len(array)} embeddings and {len(names)} labels; expected as many.")
        classes = sorted(set(names))
        if len(classes) < 2:
            found = f"all {len(array)} examples are of class {classes[0]!r:.60}" if classes else "there are no examples"
            raise InputError(f"{found}; expected two classes or more, or there is nothing to tell apart.")
        numbers = {name: number for number, name in enumerate(classes)}
        return cls(array, np.array([numbers[name] for name in names]), tuple(classes), fingerprint)

    def with_texts(self, model: CLIP, template: str = "a photo of a {}") -> Examples:
        """Return them with texts: the names of the classes, their _ and - as spaces, put into a template.

        Raises
        ------
        InputError
            If the embeddings are those of another model, or the model takes no texts.
        """
        if self.fingerprint is not None and (difference := self.fingerprint.differences(model.fingerprint)):
            raise InputError(f"the examples are embeddings of another model than that for the texts ({difference}).")
        names = [name.replace("_", " ").replace("-", " ") for name in self.classes]
        texts = np.exp(model.logit_scale) * model.embed_texts(captions(names, template))
        return replace(self, texts=texts)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: NDArray[np.bool_]) -> Examples:
        return replace(self, embeddings=self.embeddings[rows], labels=self.labels[rows])


def checked_embeddings(embeddings: ArrayLike) -> Array:
    """Return embeddings as float32.

    Raises
    ------
    InputError
        If they are no finite numbers of shape (n, e).
    """
    try:
        with np.errstate(over="ignore"):
            array: Array = np.asarray(embeddings, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"embeddings are {embeddings!r:.60} ({error!s:.60}); expected an array (n, e).") from error
    if array.ndim != 2 or not array.shape[1]:
        raise InputError(f"embeddings have shape {array.shape}; expected (n, e).")
    if not (good := np.isfinite(array).all(axis=1)).all():
        raise InputError(f"embedding {int(good.argmin())} holds NaN or is infinite; expected numbers. Leave it out.")
    return array


def are_of_unit_length(embeddings: Array) -> bool:
    """Tell embeddings of `embed_images` from those of `encode_image`."""
    lengths = np.sqrt(np.square(embeddings.astype(np.float64)).sum(axis=1))
    return bool((np.abs(lengths - 1) < _UNIT).all())


def stratified_folds(labels: Labels, n_folds: int, seed: int) -> Labels:
    """Deal examples to folds, at random, such that every fold has as many of each class as any other, or one less.

    Returns
    -------
    ndarray of shape (n,), dtype=integer
        Numbers of folds, and -1 for the only example of a class: without it the class could not be learned.
    """
    random = np.random.default_rng(seed)
    folds = np.full(len(labels), -1)
    dealt = 0
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        if len(rows) > 1:
            folds[rows] = (dealt + np.arange(len(rows))) % n_folds
            dealt += len(rows)
    return folds
