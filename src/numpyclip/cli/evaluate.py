"""`numpyclip evaluate`: measure accuracy and recall of a model on a dataset."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpyclip.atomic import atomic_file
from numpyclip.cli.inputs import Reporter, exit_status, progress, say_left_out
from numpyclip.cli.labels import add_template_option, embedded_labels, labels_in, read_named_labels
from numpyclip.cli.options import add_embedding_options, decode_options, model_name
from numpyclip.cli.outputs import check_output, output_path, print_columns, print_json
from numpyclip.cli.stores import known_embeddings, load_for_embeddings
from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.tasks.evaluation.datasets.dataset import Dataset, Example, Report
    from numpyclip.tasks.evaluation.evaluate import Evaluation
    from numpyclip.tasks.zero_shot import ZeroShotClassifier

EXAMPLES = """\
  numpyclip evaluate imagenet/val/ --labels imagenet --template imagenet
  numpyclip evaluate kinds/ -m tiny --confusion confusion.png
  numpyclip evaluate wds_flickr8k/test/ --json
  numpyclip evaluate food101.parquet --template food101 -o answers.csv

DATASET is a folder with a folder of images for every class, or with images and captions (a.jpg, a.txt: one a
line); a .tar or .tar.gz file in webdataset's layout (.cls, .txt, .json); a .parquet file as the Hugging Face hub has
them (with the extra `parquet`); or a folder of such files, with classnames.txt and
zeroshot_classification_templates.txt beside them, as LAION's CLIP_benchmark has them.

Prints metrics by the names of CLIP_benchmark, 0 to 1: acc1, acc5 and mean_per_class_recall for labels, recall at 1, 5
and 10 for captions: image_retrieval finds the image of a caption, text_retrieval a caption of an image."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("dataset", metavar="DATASET", help="a folder, or a .tar, .tar.gz or .parquet file")
    command.add_argument(
        "--labels",
        metavar="FILE",
        help="the classes in their order, from a file, one per line, or those of a dataset by its name",
    )
    add_template_option(command)
    command.add_argument(
        "-o", "--output", metavar="FILE", type=output_path(".csv", ".json"), help="write the predictions"
    )
    command.add_argument("--confusion", metavar="FILE", type=output_path(".png"), help="plot a confusion matrix")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    add_embedding_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Classify or match the images of a dataset, and print the metrics."""
    from numpyclip.pipeline import PictureReader
    from numpyclip.tasks.evaluation.datasets.open_dataset import open_dataset
    from numpyclip.tasks.evaluation.evaluate import measure
    from numpyclip.tasks.zero_shot import ZeroShotClassifier

    for output in (arguments.output, arguments.confusion):
        check_output(output, [arguments.dataset, arguments.labels, arguments.template])
    dataset = open_dataset(arguments.dataset)
    labels, templates = _labels_and_templates(arguments, dataset)
    if arguments.confusion is not None and not labels:
        raise InputError("--confusion: the dataset has no labels.")
    model = load_for_embeddings(arguments)
    classifier = None
    if labels:
        embeddings = embedded_labels(model, labels, templates)
        classifier = ZeroShotClassifier(model, labels, templates, embeddings=embeddings)
    report = Reporter()
    with known_embeddings(arguments, model) as known:
        read = PictureReader(model.preprocess, decode_options(arguments), known)
        result = measure(model, _with_progress(dataset), classifier, read, arguments.batch_size, report)
    say_left_out(dataset.left_out, report.count)
    _write(arguments, result, classifier)
    return exit_status(report.count, result.pictures)


def _with_progress(dataset: Dataset) -> Dataset:
    """Show a bar while a dataset is gone through."""

    def source(report: Report) -> Iterator[Example]:
        yield from progress(dataset.examples(report), "image", printing=False)

    return replace(dataset, sources=[source])


def _labels_and_templates(arguments: argparse.Namespace, dataset: Dataset) -> tuple[tuple[Any, ...], list[str]]:
    from numpyclip.tasks.evaluation.evaluate import dataset_labels

    template = arguments.template if arguments.template != "{}" else dataset.templates or "{}"
    labels: list[Any] = dataset_labels(dataset)
    if arguments.labels is not None:
        labels = read_named_labels(arguments.labels)
    return labels_in(labels, template) if labels else ((), [])


def _write(arguments: argparse.Namespace, result: Evaluation, classifier: ZeroShotClassifier | None) -> None:
    from numpyclip.tasks.evaluation.report import write_report
    from numpyclip.viz.confusion_matrix import confusion_matrix

    summary: dict[str, Any] = {"path": arguments.dataset, "model": model_name(arguments)}
    summary |= {"pictures": result.pictures, "captions": result.captions, **result.metrics}
    if arguments.json:
        print_json(summary)
    else:
        for name, value in summary.items():
            print_columns(name, f"{value:.4f}" if isinstance(value, float) else value)
    if arguments.output is not None:
        write_report(arguments.output, [answer._asdict() for answer in result.answers], summary)
    if arguments.confusion is not None:
        if classifier is None or result.confusion is None:  # labels were given, but no image has one
            raise InputError("--confusion: the images have no labels.")
        with atomic_file(arguments.confusion) as file:
            names = [label.name for label in classifier.labels]
            confusion_matrix(result.confusion.counts, names).save(file, "PNG")
