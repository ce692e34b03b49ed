"""Labeled embeddings, their validation, and their split into folds."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.dual_encoder.clip import CLIP, check_model
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.dual_encoder.validation import captions
from numpyclip.errors import InputError
from numpyclip.images.find import class_folders
from numpyclip.model.ops import Array

Labels = NDArray[np.integer]

_UNIT_TOLERANCE = 1e-3  # of lengths; float16 is more precise


@dataclass(frozen=True, eq=False)
class Examples:
    """Embeddings of images whose classes are known.

    Attributes
    ----------
    embeddings : ndarray of shape (n, e), dtype=float32
        Of unit length, by `embed_images`, or not, by `encode_image`.
    labels : ndarray of shape (n,), dtype=integer
        Indices of their classes.
    classes : tuple of str
        At least two, sorted.
    fingerprint : Fingerprint or None
        Of the model of the embeddings.
    texts : ndarray of shape (k, e), dtype=float32, or None
        For a Tip-Adapter: the embedding of each class's name, times the logit scale.
    """

    embeddings: Array
    labels: Labels
    classes: tuple[str, ...]
    fingerprint: Fingerprint | None = None
    texts: Array | None = None

    @classmethod
    def of(cls, embeddings: ArrayLike, labels: Iterable[str], fingerprint: Fingerprint | None = None) -> Examples:
        """Make examples of embeddings (n, e), the names of their classes (n), and the fingerprint of their model.

        Raises
        ------
        InputError
            If an embedding holds NaN or is infinite, the counts differ, or there are fewer than two classes.
        """
        array = checked_embeddings(embeddings)
        names = list(labels) if isinstance(labels, Iterable) and not isinstance(labels, str) else None
        if names is None or not all(isinstance(name, str) for name in names):
            raise InputError(f"labels are {labels!r:.60}; expected one string for every embedding.")
        if len(names) != len(array):
            raise InputError(f"there are {len(array)} embeddings and {len(names)} labels; expected equal counts.")
        classes = sorted(set(names))
        if len(classes) < 2:
            found = f"all {len(array)} examples are of class {classes[0]!r:.60}" if classes else "there are no examples"
            raise InputError(f"{found}; expected two classes or more.")
        numbers = {name: number for number, name in enumerate(classes)}
        return cls(array, np.array([numbers[name] for name in names]), tuple(classes), fingerprint)

    def with_texts(self, model: CLIP, template: str = "a photo of a {}") -> Examples:
        """Return the examples with `texts`: the names of classes, with spaces for _ and -, put into a template.

        Raises
        ------
        InputError
            If the embeddings are those of another model.
        """
        check_model(model)
        if self.fingerprint is not None and (difference := self.fingerprint.differences(model.fingerprint)):
            raise InputError(f"the examples are embeddings of another model than that for the texts ({difference}).")
        if self.fingerprint is not None:
            self.fingerprint.warn_of_precision("the examples", model.fingerprint)
        names = [name.replace("_", " ").replace("-", " ") for name in self.classes]
        texts = np.exp(model.logit_scale) * model.embed_texts(captions(names, template))
        return replace(self, texts=texts)

    def __repr__(self) -> str:
        return f"Examples({len(self)} embeddings, {len(self.classes)} classes, {self.embeddings.shape[1]} dimensions)"

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: NDArray[np.bool_]) -> Examples:
        return replace(self, embeddings=self.embeddings[rows], labels=self.labels[rows])


def folders_of_examples(folder: Path) -> tuple[list[Path], int]:
    """List the folders of two classes or more, and count the images beside them.

    Raises
    ------
    InputError
        If there are fewer, or the names of two look the same.
    """
    folders, beside = class_folders(folder)
    if len(folders) < 2:
        raise InputError(f"{folder}: holds {len(folders)} folders; expected one for each class, so two or more.")
    _check_names([path.name for path in folders])
    return folders, beside


def classes_of_paths(paths: Sequence[str]) -> list[str]:
    """Name the classes of images, which need not be here: the folders in the common folder of all.

    Raises
    ------
    InputError
        If there is no common folder, an image lies in it directly, or the names of two classes look the same.
    """
    try:
        common = os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120
        classes = [Path(path).relative_to(common).parts[0] for path in paths]
    except ValueError as error:  # some absolute, some not; or none at all
        raise InputError(f"the images have no common folder ({error}); pass the classes with --classes.") from error
    if alone := [path for path, name in zip(paths, classes, strict=True) if name == Path(path).name]:
        raise InputError(f"{alone[0]!r:.200} is in no class's folder; pass the classes with --classes.")
    _check_names(classes)
    return classes


def _check_names(names: Iterable[str]) -> None:
    """Raise InputError if two names look the same: one class in two folders would be learned as two."""
    seen: dict[str, str] = {}
    for name in dict.fromkeys(names):
        if (first := seen.setdefault(_alike(name), name)) != name:
            raise InputError(
                f"{first!r} and {name!r} seem to be the same class; rename one of the folders or join them."
            )


def _alike(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").replace("-", " ").split())


def checked_embeddings(embeddings: ArrayLike) -> Array:
    """Return embeddings as float32; InputError if they are not finite numbers of shape (n, e)."""
    try:
        with np.errstate(over="ignore"):
            array: Array = np.asarray(embeddings, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"embeddings are {embeddings!r:.60} ({error!s:.60}); expected an array (n, e).") from error
    if array.ndim != 2 or not array.shape[1]:
        raise InputError(f"embeddings have shape {array.shape}; expected (n, e).")
    if not (good := np.isfinite(array).all(axis=1)).all():
        raise InputError(f"embedding {int(good.argmin())} holds NaN or is infinite; leave it out.")
    return array


def are_of_unit_length(embeddings: Array) -> bool:
    """Tell whether embeddings are of unit length, as those of `embed_images` are."""
    lengths = np.sqrt(np.square(embeddings.astype(np.float64)).sum(axis=1))
    return bool((np.abs(lengths - 1) < _UNIT_TOLERANCE).all())


def stratified_folds(labels: Labels, n_folds: int, seed: int) -> Labels:
    """Assign examples to folds at random, (n,), with counts of each class that differ by 1 at most.

    The only example of a class gets -1: without it the class could not be learned.
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
