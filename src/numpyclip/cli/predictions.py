"""Predictions for images: on stdout, as bars, as a table, and as a confusion matrix."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from numpyclip.atomic import atomic_file
from numpyclip.cli.options import decode_options
from numpyclip.cli.outputs import print_columns, print_json, say
from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.model.ops import Array


class Printer:
    """Prints the best labels of each image.

    Parameters
    ----------
    names : sequence of str
        Of the labels.
    arguments : argparse.Namespace
        With ``top``, ``threshold``, ``json``, ``plot``, and those of `add_embedding_options`.
    with_path : bool
        Whether lines begin with the path of the image.
    """

    def __init__(self, names: Sequence[str], arguments: argparse.Namespace, with_path: bool) -> None:
        self._names = names
        self._arguments = arguments
        self._with_path = with_path

    def __call__(self, path: str, probabilities: Array, parents: Mapping[str, Array], view: str | None = None) -> None:
        """Print the labels of one image, best first, and which of its views they are of, if there are several."""
        ranked = sorted(zip(self._names, probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
        ranked = [(label, p) for label, p in ranked[: self._arguments.top] if p >= self._arguments.threshold]
        if self._arguments.json:
            found = [{"label": label, "probability": round(p, 6)} for label, p in ranked]
            record = {"path": path, **({} if view is None else {"view": view}), "labels": found}
            if parents:
                sums = {label: round(float(p[0]), 6) for label, p in parents.items()}
                record["parents"] = [{"label": label, "probability": p} for label, p in sums.items()]
            print_json(record)
        else:
            for label, p in ranked:
                print_columns(*([path] if self._with_path else []), *([view] if view else []), f"{p:.4f}", label)
        if self._arguments.plot is not None:
            from numpyclip.viz.chart import bar_chart

            chart = bar_chart(path, [(label, min(p, 1.0)) for label, p in ranked], decode_options(self._arguments))
            with atomic_file(self._arguments.plot) as file:
                chart.save(file, "PNG")


class Report:
    """Collects the prediction for every image, and the label that its folder is named after.

    Parameters
    ----------
    names : sequence of str
        Of the labels.
    arguments : argparse.Namespace
        With ``output``, ``confusion`` and ``separator``.
    """

    def __init__(self, names: Sequence[str], arguments: argparse.Namespace) -> None:
        from numpyclip.tasks.evaluation.metrics import Confusion
        from numpyclip.tasks.labels import Label, LabelIndex

        self._names = names
        self._arguments = arguments
        self._folders = LabelIndex([Label(name, (name,)) for name in names], arguments.separator)
        self._confusion = Confusion(len(names))
        self._rows: list[dict[str, str | float | None]] = []

    def add(self, path: str, probabilities: Array) -> None:
        """Add the prediction for an image."""
        best, row = int(probabilities.argmax()), self._folders.of_folder(path)
        if row is not None:
            self._confusion.add([row], [best])
        label = None if row is None else self._names[row]
        found: dict[str, str | float | None] = {"path": path, "label": label, "predicted": self._names[best]}
        self._rows.append(found | {"probability": round(float(probabilities[best]), 6)})

    def write(self) -> None:
        """Write the files that were asked for, and print the accuracy where folders are named after labels."""
        from numpyclip.tasks.evaluation.report import write_report
        from numpyclip.viz.confusion_matrix import confusion_matrix

        known = int(self._confusion.counts.sum())
        summary = {
            "pictures": len(self._rows),
            "labelled": known,
            "accuracy": self._confusion.accuracy,
            "mean_per_class_recall": self._confusion.mean_per_class_recall,
        }
        if known:
            say(
                f"of {known} images in folders named after labels {self._confusion.accuracy:.4f} are "
                f"right; mean per-class recall {self._confusion.mean_per_class_recall:.4f}."
            )
        if self._arguments.output is not None:
            write_report(self._arguments.output, self._rows, summary)
        if self._arguments.confusion is not None:
            if not known:
                raise InputError("--confusion: no image is in a folder that is named after a label.")
            with atomic_file(self._arguments.confusion) as file:
                confusion_matrix(self._confusion.counts, self._names).save(file, "PNG")
