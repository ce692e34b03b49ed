"""How often a model is right about a dataset: zero-shot classification, and finding pictures and captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, NumPyCLIPError, quoted
from numpyclip.model.ops import Array
from numpyclip.pipeline import PictureReader, Reading, iter_embeddings
from numpyclip.runtime.chunks import batched
from numpyclip.tasks.evaluation.datasets.dataset import Dataset, Example, Report
from numpyclip.tasks.evaluation.metrics import Confusion, ranks, recall_at, retrieval_recall
from numpyclip.tasks.labels import Label, LabelIndex
from numpyclip.tasks.zero_shot import ZeroShotClassifier

_LEAST_FOR_TOP_5 = 5  # labels; of fewer, CLIP_benchmark gives no top-5 accuracy


class Answer(NamedTuple):
    """What was predicted of a picture, and what is right."""

    path: str
    label: str
    predicted: str
    probability: float


@dataclass
class Evaluation:
    """What came out.

    Attributes
    ----------
    pictures, captions : int
        How many were embedded.
    metrics : dict of str to float
        By the names of CLIP_benchmark, in 0..1: ``acc1``, ``acc5`` (NaN where there are fewer than five labels) and
        ``mean_per_class_recall`` where pictures have labels; ``image_retrieval_recall@k`` and
        ``text_retrieval_recall@k`` where they have captions.
    confusion : Confusion or None
        Counts of labels and predictions.
    answers : list of Answer
        One for every picture with a label.
    """

    pictures: int = 0
    captions: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    confusion: Confusion | None = None
    answers: list[Answer] = field(default_factory=list)


def dataset_labels(dataset: Dataset) -> list[Label]:
    """Return the labels that a dataset tells, such as the names of folders, with spaces for underscores in texts."""
    return [Label(name, (name.replace("_", " "),)) for name in dataset.label_names]


def evaluate(
    model: CLIP,
    dataset: Dataset,
    classifier: ZeroShotClassifier | None = None,
    *,
    batch_size: int = 32,
    read: PictureReader | None = None,
    report: Report | None = None,
) -> Evaluation:
    """Classify the pictures of a dataset that have labels, and find those that have captions.

    Parameters
    ----------
    model : CLIP
    dataset : Dataset
        From `open_dataset`.
    classifier : ZeroShotClassifier, optional
        With the labels of the dataset, by name, or all of them in its order. Without it, captions alone are looked at.
    batch_size : int, default=32
    read : PictureReader, optional
        How pictures are read.
    report : callable, optional
        Is told what cannot be read, which is left out; without it, that is raised.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If nothing is left to evaluate, or the labels are not those of the dataset.
    """
    tell = _raise if report is None else report
    labelled = None if classifier is None else _Classification(classifier, dataset)
    captioned = _Retrieval(model)
    result = Evaluation()
    records = iter_embeddings(
        model.embed_pixels,
        dataset.examples(tell),
        partial(_read, read or PictureReader(model.preprocess)),
        batch_size=batch_size,
        on_error="raise" if report is None else report,
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
            f"{dataset.path}: holds nothing to evaluate; expected pictures with captions, or with labels "
            "whose names are known."
        )
    return result


def _raise(problem: NumPyCLIPError) -> None:
    raise problem


def _read(read: PictureReader, example: Example) -> Reading[Any]:
    return read(example.picture, example.name)


class _Classification:
    """Counts what a classifier predicts."""

    def __init__(self, classifier: ZeroShotClassifier, dataset: Dataset) -> None:
        self._classifier = classifier
        self._rows = _LabelRows(classifier.labels, dataset)
        self._ranks: list[NDArray[np.intp]] = []
        self.confusion = Confusion(len(classifier.labels))
        self.answers: list[Answer] = []

    def add(self, examples: Sequence[Example], embeddings: Array, report: Report) -> None:
        """Classify the pictures of a batch that have a label."""
        known = []
        for place, example in enumerate(examples):
            if example.label is None:
                continue
            row = self._rows.find(example.label)
            if row is None:
                report(InputError(f"{example.name}: its label {quoted(str(example.label))} is none of those given."))
            else:
                known.append((place, row))
        if not known:
            return
        places, rows = (list(column) for column in zip(*known, strict=True))
        probabilities = self._classifier.probabilities(embeddings[places])
        predicted = probabilities.argmax(axis=1)
        self.confusion.add(rows, predicted.tolist())
        self._ranks.append(ranks(probabilities, np.arange(probabilities.shape[1]) == np.array(rows)[:, np.newaxis]))
        names = [label.name for label in self._classifier.labels]
        for i, (place, row) in enumerate(known):
            best = int(predicted[i])
            self.answers.append(Answer(examples[place].name, names[row], names[best], float(probabilities[i, best])))

    def metrics(self) -> dict[str, float]:
        found = np.concatenate(self._ranks)
        enough = len(self._classifier.labels) >= _LEAST_FOR_TOP_5
        return {
            "acc1": recall_at(found, 1),
            "acc5": recall_at(found, 5) if enough else float("nan"),
            "mean_per_class_recall": self.confusion.mean_per_class_recall,
        }


class _LabelRows:
    """Which row of a classifier a label of the dataset is: by name, or by number where no name is known to both."""

    def __init__(self, labels: Sequence[Label], dataset: Dataset) -> None:
        self._count = len(labels)
        self._index = LabelIndex(labels)
        names = dataset.label_names
        self._by_order: dict[str, int] = {}
        if names and all(self._index.find(name) is None for name in names):
            if len(names) != len(labels):
                raise InputError(
                    f"{dataset.path}: its {len(names)} labels, such as {quoted(names[0])}, are not among the "
                    f"{len(labels)} given, such as {quoted(labels[0].name)}; expected the same names, or as many in "
                    "the same order."
                )
            self._by_order = {name: row for row, name in enumerate(names)}

    def find(self, label: int | str) -> int | None:
        if isinstance(label, int):
            return label if 0 <= label < self._count else None
        return self._by_order.get(label, self._index.find(label))


class _Retrieval:
    """Collects the embeddings of pictures and captions."""

    def __init__(self, model: CLIP) -> None:
        self._model = model
        self._images: list[Array] = []
        self._texts: list[Array] = []
        self._count = 0
        self.owners: list[int] = []

    def add(self, examples: Sequence[Example], embeddings: Array) -> None:
        """Take in a batch of pictures, if any of them has captions; too long ones are cut, as in CLIP_benchmark."""
        texts = [(row, text) for row, example in enumerate(examples) for text in example.captions]
        if not texts:
            return
        rows, captions = zip(*texts, strict=True)
        with_text = sorted(set(rows))
        places = {row: self._count + place for place, row in enumerate(with_text)}
        self._images.append(embeddings[with_text])
        self._texts.append(self._model.embed_texts(captions, truncate=True))
        self._count += len(with_text)
        self.owners.extend(places[row] for row in rows)

    def metrics(self) -> dict[str, float]:
        return retrieval_recall(np.concatenate(self._images), np.concatenate(self._texts), self.owners)
