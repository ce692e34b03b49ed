"""Zero-shot classification (Radford et al., 2021, section 3.1): a classifier made of labels in words.

The embedding of a label is the mean of the normalized embeddings of its phrases in all templates, normalized again, as
in openai/CLIP's notebook on ImageNet and in CLIP_benchmark.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.arguments import whole_number
from numpyclip.dual_encoder.clip import CLIP, check_model, of_best_views
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.dual_encoder.validation import checked_embeddings
from numpyclip.errors import InputError
from numpyclip.images.open import Picture
from numpyclip.images.views import CROP, View
from numpyclip.model.ops import Array, normalize
from numpyclip.notebook import counted, html_table
from numpyclip.runtime.chunks import batched
from numpyclip.tasks.labels import Label, as_labels, parents
from numpyclip.tasks.prompts import templates as as_templates

_BATCH = 1024  # texts that are embedded at once; their shared prefixes are computed once
_Batches: TypeAlias = "Iterable[list[tuple[int, str]]]"  # of rows of labels, and their texts


class Prediction(NamedTuple):
    """A label and its probability."""

    label: str
    probability: float


class ZeroShotClassifier:
    """Labels that are embedded once, and compared with any number of images.

    Parameters
    ----------
    model : CLIP
    labels : str, or iterable of str, Label or sequence of str
        Names, or names with their synonyms; or the name of a dataset, such as "imagenet" or "food101".
    templates : str or iterable of str, default="{}"
        A template such as "a photo of a {}", several, a file of them, or a name such as "imagenet".
    separator : str, optional
        Separates the parts of labels such as "animal/dog"; see `parents`.
    embeddings : array_like of shape (n_labels, embed_dim), optional
        Of the labels, if they are known.

    Attributes
    ----------
    labels : tuple of Label
    templates : tuple of str
    embeddings : ndarray of shape (n_labels, embed_dim), dtype=float32
        Of unit length.

    Raises
    ------
    InputError
        If labels or templates are empty or malformed.
    TextTooLongError
        If a label in its template has more tokens than the model has positions.
    """

    def __init__(
        self,
        model: CLIP,
        labels: str | Iterable[str | Label | Sequence[str]],
        templates: str | Iterable[str] = "{}",
        *,
        separator: str | None = None,
        embeddings: ArrayLike | None = None,
    ) -> None:
        check_model(model)
        self.model = model
        self.labels = as_labels(labels, separator)
        self.templates = tuple(as_templates(templates))
        self.separator = separator
        if embeddings is None:
            self.embeddings = embed_labels(model, self.labels, self.templates)
        else:
            self.embeddings = checked_embeddings(embeddings, model.config.embed_dim, "labels")
            if len(self.embeddings) != len(self.labels):
                raise InputError(f"got {len(self.embeddings)} embeddings; expected {len(self.labels)}, one per label.")

    def __repr__(self) -> str:
        counts = counted(len(self.labels), "label"), counted(len(self.templates), "template")
        return f"{type(self).__name__}({', '.join(counts)})"

    def _repr_html_(self) -> str:
        return html_table(repr(self), {label.name: ", ".join(label.phrases) for label in self.labels})

    def probabilities(self, images: ArrayLike) -> Array:
        """Compute the probability of each label, as `CLIP.probabilities`: (n, e), of unit length -> (n, n_labels)."""
        return self.model.probabilities(images, self.embeddings)

    def classify(
        self,
        images: Picture | Iterable[Picture],
        *,
        top_k: int = 1,
        threshold: ArrayLike = 0,
        batch_size: int = 32,
        orient: bool = True,
        views: View | Iterable[View] = CROP,
    ) -> list[list[Prediction]]:
        """Find the most probable labels of each image.

        Parameters
        ----------
        images, batch_size, orient, views
            As in `CLIP.classify`.
        top_k, threshold
            As in `top_k`.

        Returns
        -------
        list of lists of Prediction
            Of each image, the most probable first; empty if none reaches the threshold.
        """
        records = self.model.iter_embeddings(images, batch_size, orient=orient, views=views)
        found = of_best_views(records, self.model.config.embed_dim, self.probabilities)
        return self.top_k(found, top_k, threshold)

    def top_k(
        self, probabilities: ArrayLike, top_k: int | None = None, threshold: ArrayLike = 0
    ) -> list[list[Prediction]]:
        """Return the most probable labels of each image, given probabilities (n, n_labels).

        Parameters
        ----------
        probabilities : array_like of shape (n_images, n_labels)
        top_k : int, optional
            Maximum number of labels of an image; by default all.
        threshold : float, or array_like of shape (n_labels,), default=0
            Minimum probability, of all labels or of each.
        """
        if top_k is not None and ((count := whole_number(top_k)) is None or count < 1):
            raise InputError(f"top_k is {top_k!r:.60}; expected an integer of 1 or more.")
        try:
            minimum = np.broadcast_to(np.asarray(threshold, np.float32), len(self.labels))
        except (TypeError, ValueError):
            minimum = np.full(1, np.nan, np.float32)
        if not ((minimum >= 0) & (minimum <= 1)).all():
            raise InputError(
                f"threshold is {threshold!r:.60}; expected a number in 0..1, or {len(self.labels)}, one for each label."
            )
        found = []
        for row in np.asarray(probabilities):
            order = np.argsort(-row, kind="stable")[:top_k]
            found.append([Prediction(self.labels[i].name, float(row[i])) for i in order if row[i] >= minimum[i]])
        return found

    def parents(self, probabilities: ArrayLike) -> dict[str, Array]:
        """Compute the probabilities of the parents of labels, such as "animal": (n, n_labels) -> (n,) for each.

        The sum over the labels of a parent, or the maximum for models that score labels independently (SigLIP).
        """
        array = np.asarray(probabilities, np.float32)
        groups = parents(self.labels, self.separator) if self.separator else {}
        reduce = np.max if self.model.config.sigmoid else np.sum
        return {name: reduce(array[:, rows], axis=1) for name, rows in groups.items()}

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` file: the embeddings; and labels, templates and fingerprint as JSON."""
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
            If it cannot be read, is another file, or was made with another model.
        CheckpointError
            If the file is damaged.
        """
        from numpyclip.weights.archive import Archive
        from numpyclip.weights.json_file import parse_json
        from numpyclip.weights.npz import read_npz

        check_model(model)
        try:
            arrays = read_npz(Archive(Path(file)))
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror or error}).") from error
        try:
            description = parse_json(arrays["description"].tobytes())
            labels = as_labels([Label(name, tuple(phrases)) for name, *phrases in description["labels"]])
            templates, separator = as_templates([*description["templates"]]), description["separator"]
            made_with = Fingerprint.from_json(description["fingerprint"])
            embeddings = np.array(arrays["embeddings"], np.float32)
            if not (np.isfinite(embeddings).all() and isinstance(separator, str | None)):
                raise ValueError("embeddings or separator")
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise InputError(f"{file}: is not a classifier; expected a file by ZeroShotClassifier.save.") from error
        if differences := made_with.differences(model.fingerprint):
            raise InputError(f"{file}: made with another model ({differences}). Load that model, or rebuild the file.")
        made_with.warn_of_precision(file, model.fingerprint)
        return cls(model, labels, templates, separator=separator, embeddings=embeddings)


def embed_labels(
    model: CLIP,
    labels: Sequence[Label],
    templates: Sequence[str],
    progress: Callable[[_Batches], _Batches] = iter,
) -> Array:
    """Embed labels, (n_labels, embed_dim), of unit length; `progress` wraps the batches of texts."""
    texts = (  # template by template, so that texts with a shared prefix are neighbors
        (row, template.replace("{}", phrase))
        for template in templates
        for row, label in enumerate(labels)
        for phrase in label.phrases
    )
    sums = np.zeros((len(labels), model.config.embed_dim), np.float32)
    for batch in progress(batched(texts, _BATCH)):
        rows, prompts = zip(*batch, strict=True)
        np.add.at(sums, list(rows), model.embed_texts(prompts, len(prompts)))
    return normalize(sums)
