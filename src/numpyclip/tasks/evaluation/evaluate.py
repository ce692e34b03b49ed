"""Evaluation of a model on a dataset: zero-shot classification, and retrieval of images and captions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import OnError, error_handler
from numpyclip.dual_encoder.clip import CLIP, check_model
from numpyclip.errors import InputError, quoted
from numpyclip.model.ops import Array
from numpyclip.pipeline import Known, PictureReader, Reading, iter_embeddings
from numpyclip.runtime.chunks import batched
from numpyclip.tasks.evaluation.datasets.dataset import Dataset, Example, Report
from numpyclip.tasks.evaluation.metrics import Confusion, ranks, recall_at, retrieval_recall
from numpyclip.tasks.labels import Label, LabelIndex
from numpyclip.tasks.zero_shot import ZeroShotClassifier

_LEAST_FOR_TOP_5 = 5  # labels; with fewer, CLIP_benchmark gives no top-5 accuracy


class Answer(NamedTuple):
    """The label of an image, the predicted one, and its probability."""

    path: str
    label: str
    predicted: str
    probability: float


@dataclass
class Evaluation:
    """The result of an evaluation.

    Attributes
    ----------
    pictures, captions : int
        How many were embedded.
    metrics : dict of str to float
        By the names of CLIP_benchmark, in 0..1: ``acc1``, ``acc5`` (NaN with fewer than five labels) and
        ``mean_per_class_recall`` of images with labels; ``image_retrieval_recall@k`` and ``text_retrieval_recall@k``
        of images with captions.
    confusion : Confusion or None
        Counts of labels and predictions.
    answers : list of Answer
        One for every image with a label.
    """

    pictures: int = 0
    captions: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    confusion: Confusion | None = None
    answers: list[Answer] = field(default_factory=list)


def dataset_labels(dataset: Dataset) -> list[Label]:
    """Return the labels of a dataset, such as names of folders, with spaces for the underscores in their phrases."""
    return [Label(name, (name.replace("_", " "),)) for name in dataset.label_names]


def evaluate(
    model: CLIP,
    dataset: Dataset,
    classifier: ZeroShotClassifier | None = None,
    *,
    batch_size: int = 32,
    on_error: OnError = "raise",
    known: Known | None = None,
) -> Evaluation:
    """Classify the images of a dataset that have labels, and retrieve those that have captions.

    Parameters
    ----------
    model : CLIP
    dataset : Dataset
        From `open_dataset`.
    classifier : ZeroShotClassifier, optional
        With the labels of the dataset, by name, or all of them in its order. Without it, only captions are evaluated.
    batch_size : int, default=32
    on_error : {"raise", "skip"} or callable, default="raise"
        Whether to raise the error of what cannot be read, or leave it out; a callable is given the error.
    known : optional
        `Index.known`: where embeddings are looked up before they are computed.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If nothing is left to evaluate, or the labels are not those of the dataset.
    """
    check_model(model)
    return measure(model, dataset, classifier, PictureReader(model.preprocess, known=known), batch_size, on_error)


def measure(
    model: CLIP,
    dataset: Dataset,
    classifier: ZeroShotClassifier | None,
    read: PictureReader,
    batch_size: int,
    on_error: OnError,
) -> Evaluation:
    """Evaluate a model as `evaluate` does, on images that are read in any way."""
    tell = error_handler(on_error)
    labelled = None if classifier is None else _Classification(classifier, dataset)
    captioned = _Retrieval(model)
    result = Evaluation()
    records = iter_embeddings(
        model.embed_pixels,
        dataset.examples(tell),
        partial(_read, read),
        batch_size=batch_size,
        on_error=on_error,
    )
    for batch in batched((record for record in records if record.error is None), batch_size):
        examples = [record.picture for record in batch]
        embeddings = np.stack([record.embedding for record in batch])
        captioned.add(examples, embeddings)
        if labelled is not None:
            labelled.add(examples, embeddings, tell)
        result.pictures += len(examples)
    result.captions = len(captioned.owners)
    if labelled is not None and labelled.answers:
        result.metrics |= labelled.metrics()
        result.confusion, result.answers = labelled.confusion, labelled.answers
    if captioned.owners:
        result.metrics |= captioned.metrics()
    if not result.metrics:
        raise InputError(
            f"{dataset.path}: holds nothing to evaluate; expected images with captions, or with labels whose names are "
            "known."
        )
    return result


def _read(read: PictureReader, example: Example) -> Reading[Any]:
    return read(example.picture, example.name)


class _Classification:
    """Counts of what a classifier predicts."""

    def __init__(self, classifier: ZeroShotClassifier, dataset: Dataset) -> None:
        self._classifier = classifier
        self._names = [label.name for label in classifier.labels]
        self._row_of = _rows_by_name(classifier.labels, dataset)
        self._ranks: list[NDArray[np.intp]] = []
        self.confusion = Confusion(len(self._names))
        self.answers: list[Answer] = []

    def add(self, examples: Sequence[Example], embeddings: Array, report: Report) -> None:
        """Classify the images of a batch that have a label."""
        positions, rows = [], []
        for position, example in enumerate(examples):
            if example.label is None:
                continue
            if (row := self._row(example.label)) is None:
                report(InputError(f"{example.name}: its label {quoted(str(example.label))} is none of those given."))
            else:
                positions.append(position)
                rows.append(row)
        if not rows:
            return
        probabilities = self._classifier.probabilities(embeddings[positions])
        self._ranks.append(ranks(probabilities, np.arange(len(self._names)) == np.array(rows)[:, np.newaxis]))
        predicted = probabilities.argmax(axis=1).tolist()
        self.confusion.add(rows, predicted)
        for position, row, best, shares in zip(positions, rows, predicted, probabilities, strict=True):
            self.answers.append(
                Answer(examples[position].name, self._names[row], self._names[best], float(shares[best]))
            )

    def _row(self, label: int | str) -> int | None:
        if isinstance(label, int):
            return label if 0 <= label < len(self._names) else None
        return self._row_of(label)

    def metrics(self) -> dict[str, float]:
        found = np.concatenate(self._ranks)
        enough = len(self._names) >= _LEAST_FOR_TOP_5
        return {
            "acc1": recall_at(found, 1),
            "acc5": recall_at(found, 5) if enough else float("nan"),
            "mean_per_class_recall": self.confusion.mean_per_class_recall,
        }


def _rows_by_name(labels: Sequence[Label], dataset: Dataset) -> Callable[[str], int | None]:
    """Return what finds the row of a dataset's label: by name, or by its number if no name is known to both."""
    index, names = LabelIndex(labels), dataset.label_names
    if not names or any(index.find(name) is not None for name in names):
        return index.find
    if len(names) != len(labels):
        raise InputError(
            f"{dataset.path}: its {len(names)} labels, such as {quoted(names[0])}, are not among the {len(labels)} "
            f"given, such as {quoted(labels[0].name)}; expected the same names, or equal counts in the same order."
        )
    return {name: row for row, name in enumerate(names)}.get


class _Retrieval:
    """The embeddings of images and their captions."""

    def __init__(self, model: CLIP) -> None:
        self._model = model
        self._images: list[Array] = []
        self._texts: list[Array] = []
        self.owners: list[int] = []  # of each caption, the row of its image

    def add(self, examples: Sequence[Example], embeddings: Array) -> None:
        """Add the images of a batch that have captions; too long ones are truncated, as in CLIP_benchmark."""
        for example, embedding in zip(examples, embeddings, strict=True):
            if example.captions:
                self.owners.extend([len(self._images)] * len(example.captions))
                self._images.append(embedding)
        if texts := [text for example in examples for text in example.captions]:
            self._texts.append(self._model.embed_texts(texts, truncate=True))

    def metrics(self) -> dict[str, float]:
        return retrieval_recall(np.stack(self._images), np.concatenate(self._texts), self.owners)
