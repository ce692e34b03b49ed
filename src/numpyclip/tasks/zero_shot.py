"""Zero-shot classification (Radford et al., 2021, section 3.1): labels, in words, are all that a classifier needs.

A label's embedding is the mean of those of unit length of its phrases in all templates, scaled to unit length again,
as in openai/CLIP's notebook about ImageNet and in CLIP_benchmark.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.arguments import whole_number
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.dual_encoder.validation import checked_embeddings
from numpyclip.errors import InputError
from numpyclip.images.open import Picture
from numpyclip.model.ops import Array, normalize
from numpyclip.notebook import html_table
from numpyclip.runtime.chunks import batched
from numpyclip.tasks.labels import Label, as_labels, parents
from numpyclip.tasks.prompts import templates as as_templates

_BATCH = 1024  # texts that are embedded at once: what they begin with is computed once
Watch: TypeAlias = "Callable[[Iterable[list[tuple[int, str]]]], Iterable[list[tuple[int, str]]]]"


class Prediction(NamedTuple):
    """A label, and how probable it is, in 0..1."""

    label: str
    probability: float


class ZeroShotClassifier:
    """Labels that are embedded once, and then compared with any number of pictures.

    Parameters
    ----------
    model : CLIP
    labels : iterable of str, Label or sequence of str
        As in `numpyclip.tasks.labels.as_labels`: names, or names with their synonyms.
    templates : str or iterable of str, default="{}"
        As in `numpyclip.tasks.prompts.templates`: a template, several, a file of them, or a name such as "imagenet".
    separator : str, optional
        What lies between the parts of labels such as "animal/dog"; see `parents`.
    embeddings : array_like of shape (n_labels, embed_dim), optional
        Of the labels, if they were made before.

    Attributes
    ----------
    labels : tuple of Label
    templates : tuple of str
    embeddings : ndarray of shape (n_labels, embed_dim), dtype=float32
        Of unit length.

    Raises
    ------
    InputError
        If labels or templates are none.
    TextTooLongError
        If a label in its template has more tokens than the model reads.
    """

    def __init__(
        self,
        model: CLIP,
        labels: Iterable[str | Label | Sequence[str]],
        templates: str | Iterable[str] = "{}",
        *,
        separator: str | None = None,
        embeddings: ArrayLike | None = None,
    ) -> None:
        self.model = model
        self.labels = as_labels(labels, separator)
        self.templates = tuple(as_templates(templates))
        self.separator = separator
        if embeddings is None:
            self.embeddings = embed_labels(model, self.labels, self.templates)
        else:
            self.embeddings = checked_embeddings(embeddings, model.config.embed_dim, "labels")
            if len(self.embeddings) != len(self.labels):
                raise InputError(f"got {len(self.embeddings)} embeddings; expected {len(self.labels)}, one a label.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.labels)} labels, {len(self.templates)} templates, {self.model!r})"

    def _repr_html_(self) -> str:
        return html_table(repr(self), {label.name: ", ".join(label.phrases) for label in self.labels})

    def probabilities(self, images: ArrayLike) -> Array:
        """Say how well labels fit pictures, given their embeddings of unit length: (n, e) -> (n, n_labels).

        They compare the labels with each other: see `CLIP.probabilities`.
        """
        return self.model.probabilities(images, self.embeddings)

    def classify(
        self,
        images: Picture | Iterable[Picture],
        *,
        k: int = 1,
        threshold: ArrayLike = 0,
        batch_size: int = 32,
        orient: bool = True,
    ) -> list[list[Prediction]]:
        """Say which labels fit each picture best.

        Parameters
        ----------
        images, batch_size, orient
            As in `CLIP.embed_images`.
        k, threshold
            As in `top_k`.

        Returns
        -------
        list of lists of Prediction
            Of each picture its labels, best first; none if none reaches the threshold.
        """
        embeddings = self.model.embed_images(images, batch_size, orient=orient)
        return self.top_k(self.probabilities(embeddings), k, threshold)

    def top_k(self, probabilities: ArrayLike, k: int | None = None, threshold: ArrayLike = 0) -> list[list[Prediction]]:
        """Choose from the probabilities of pictures, (n, n_labels), the best labels of each.

        Parameters
        ----------
        probabilities : array_like of shape (n_images, n_labels)
        k : int, optional
            How many labels at most; by default all.
        threshold : float, or array_like of shape (n_labels,), default=0
            How probable a label must be, for all of them or for each.
        """
        if k is not None and ((count := whole_number(k)) is None or count < 1):
            raise InputError(f"k is {k!r:.60}; expected a whole number of 1 or more.")
        least = self._checked_threshold(threshold)
        return [self._best(row, k, least) for row in np.asarray(probabilities)]

    def _best(self, row: Array, k: int | None, least: Array) -> list[Prediction]:
        order = np.argsort(-row, kind="stable")[:k]
        return [Prediction(self.labels[i].name, float(row[i])) for i in order if row[i] >= least[i]]

    def _checked_threshold(self, threshold: ArrayLike) -> Array:
        try:
            least: Array = np.broadcast_to(np.asarray(threshold, np.float32), len(self.labels))
        except (TypeError, ValueError):
            least = np.full(1, np.nan, np.float32)
        if not ((least >= 0) & (least <= 1)).all():
            raise InputError(
                f"threshold is {threshold!r:.60}; expected a number in 0..1, or {len(self.labels)}, one for each label."
            )
        return least

    def parents(self, probabilities: ArrayLike) -> dict[str, Array]:
        """Say how probable it is that pictures show what labels are parts of, (n, n_labels) -> (n,) for each parent.

        The sum over its labels; where a model judges each label by itself, as SigLIP does, that of the best one.
        """
        array = np.asarray(probabilities, np.float32)
        groups = parents(self.labels, self.separator) if self.separator else {}
        if self.model.config.sigmoid:
            return {name: array[:, rows].max(axis=1) for name, rows in groups.items()}
        return {name: array[:, rows].sum(axis=1) for name, rows in groups.items()}

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` file: embeddings, and a description in JSON with labels, templates and fingerprint."""
        from numpyclip.atomic import atomic_file

        description = {
            "labels": [[label.name, *label.phrases] for label in self.labels],
            "templates": self.templates,
            "separator": self.separator,
            "fingerprint": self.model.fingerprint.to_json(),
        }
        packed = np.frombuffer(json.dumps(description).encode("utf-8"), np.uint8)
        with atomic_file(Path(file)) as stream:
            np.savez(stream, embeddings=self.embeddings, description=packed)

    @classmethod
    def load(cls, model: CLIP, file: str | os.PathLike[str]) -> ZeroShotClassifier:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If it cannot be read, is something else, or was made with a model of another fingerprint.
        CheckpointError
            If the file is damaged.
        """
        embeddings, description = _read(Path(file))
        made_with = Fingerprint.from_json(description["fingerprint"])
        if differences := made_with.differences(model.fingerprint):
            raise InputError(
                f"{file}: made with another model ({differences}). Load that model, or make the classifier anew."
            )
        labels = [Label(name, tuple(phrases)) for name, *phrases in description["labels"]]
        return cls(model, labels, description["templates"], separator=description["separator"], embeddings=embeddings)


def embed_labels(model: CLIP, labels: Sequence[Label], templates: Sequence[str], watch: Watch = iter) -> Array:
    """Embed labels: (n_labels, embed_dim), of unit length.

    Parameters
    ----------
    model : CLIP
    labels : sequence of Label
    templates : sequence of str
    watch : callable, optional
        Is given the batches of texts, and what it returns is gone through: a bar that shows progress, say.
    """
    sums = np.zeros((len(labels), model.config.embed_dim), np.float32)
    for batch in watch(batched(_texts(labels, templates), _BATCH)):
        rows, texts = zip(*batch, strict=True)
        np.add.at(sums, list(rows), model.embed_texts(texts, len(texts)))
    return normalize(sums)


def _texts(labels: Sequence[Label], templates: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Put every label into the first template, then into the second: texts that begin alike are neighbours."""
    for template in templates:
        for row, label in enumerate(labels):
            for phrase in label.phrases:
                yield row, template.replace("{}", phrase)


def _read(path: Path) -> tuple[Array, dict[str, Any]]:
    from numpyclip.weights.archive import Archive
    from numpyclip.weights.npz import read_npz

    try:
        arrays = read_npz(Archive(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error
    try:
        description = json.loads(arrays["description"].tobytes())
        embeddings = np.array(arrays["embeddings"], np.float32)
        assert _is_description(description) and np.isfinite(embeddings).all()
    except (KeyError, ValueError, RecursionError, AssertionError) as error:
        raise InputError(f"{path}: is no classifier; expected a file that ZeroShotClassifier.save wrote.") from error
    return embeddings, description


def _is_description(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"labels", "templates", "separator", "fingerprint"}
        and isinstance(value["labels"], list)
        and all(_is_texts(label, 2) for label in value["labels"])
        and _is_texts(value["templates"], 1)
        and (value["separator"] is None or isinstance(value["separator"], str))
        and isinstance(value["fingerprint"], str)
    )


def _is_texts(value: Any, least: int) -> bool:
    return isinstance(value, list) and len(value) >= least and all(isinstance(text, str) for text in value)
