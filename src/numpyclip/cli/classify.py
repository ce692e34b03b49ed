"""`numpyclip classify`: classify images by labels in words."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, texts_in, with_stdin
from numpyclip.cli.labels import add_template_option, embedded_labels, labels_in, read_named_labels
from numpyclip.cli.options import add_embedding_options, add_pictures, add_views_option, positive
from numpyclip.cli.outputs import are_several, check_output, output_path
from numpyclip.cli.predictions import Printer, Report
from numpyclip.cli.stores import load_for_embeddings
from numpyclip.errors import InputError
from numpyclip.images.find import is_picture_name

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.model.ops import Array
    from numpyclip.tasks.learning.probe import Probe
    from numpyclip.tasks.zero_shot import ZeroShotClassifier

EXAMPLES = """\
  numpyclip classify photo.jpg "a photo of a dog" "a photo of a cat"
  numpyclip classify emoji.png "a red apple" "a dog" --model tiny
  numpyclip classify photos/ --labels labels.txt --template "a photo of a {}" -n 3
  numpyclip classify photos/ --labels imagenet --template imagenet7 --save imagenet.npz -n 1
  numpyclip classify photos/ --classifier imagenet.npz -o report.csv
  numpyclip classify sorted/ --labels classes.csv --confusion confusion.png -o report.json
  find . -name "*.jpg" | numpyclip classify - dog cat --json

One line per label, best first: probability and label, with the path before them where there is more than one
image. Probabilities are relative to the given labels: even the best one may not fit. (SigLIP models
score each label independently: their probabilities do not sum to 1.) Of several --views the one whose best label has
the highest probability counts, and is named before the label.

A file of labels has one per line; a .csv file has one per row, with synonyms in the other columns. Where folders are
named after labels, -o and --confusion compare predictions with them."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.usage = "numpyclip classify [OPTION ...] IMAGE LABEL [LABEL ...]"
    add_pictures(command, "classify", "IMAGE LABEL", "texts (with --labels: more images)")
    command.add_argument(
        "--labels",
        metavar="FILE",
        help="choose from the texts in a file, one per line, or those of a dataset by its name",
    )
    command.add_argument("--probe", metavar="FILE", help="take the classes of `numpyclip learn`; all items are images")
    command.add_argument("--classifier", metavar="FILE", help="take what --save wrote; all items are images")
    add_template_option(command)
    command.add_argument("--separator", metavar="TEXT", help="between the parts of labels, such as / in animal/dog")
    command.add_argument("-n", "--top", type=positive, metavar="N", help="print the best N labels (default: all)")
    command.add_argument("--threshold", type=float, default=0.0, metavar="P", help="minimum probability (default: 0)")
    command.add_argument(
        "--plot", metavar="FILE", type=output_path(".png"), help="draw the labels of a single image as bars beside it"
    )
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=output_path(".csv", ".json"),
        help="write the predictions",
    )
    command.add_argument(
        "--confusion", metavar="FILE", type=output_path(".png"), help="plot a confusion matrix against folder names"
    )
    command.add_argument(
        "--save", metavar="FILE", type=output_path(".npz"), help="store embedded labels for --classifier"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object per image")
    add_views_option(command)
    add_embedding_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Print the labels of every image, batch by batch."""
    from numpyclip.dual_encoder.clip import best_view

    read = [*arguments.items, arguments.labels, arguments.template, arguments.probe, arguments.classifier]
    for output in (arguments.plot, arguments.output, arguments.confusion, arguments.save):
        check_output(output, read)
    sources, classifier, model = _prepared(arguments)
    several = are_several(sources)
    if several and arguments.plot is not None:
        raise InputError("--plot draws the labels of one image; for several, see numpyclip sheet --help.")
    if not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold is {arguments.threshold}; expected a probability, 0 to 1.")
    names, parents = _names_and_parents(classifier)
    printer = Printer(names, arguments, with_path=several)
    report = Report(names, arguments) if arguments.output or arguments.confusion else None
    pictures = EmbeddedPictures(model, arguments, with_stdin(sources, paths_in))
    embedded = pictures.with_views()
    for path, views in progress(embedded, "image", printing=True) if several else embedded:
        probabilities = classifier.probabilities([*views.values()])
        best = best_view(probabilities)
        view = None if arguments.views is None else list(views)[best]
        printer(path, probabilities[best], parents(probabilities[best : best + 1]), view)
        if report is not None:
            report.add(path, probabilities[best])
    if report is not None:
        report.write()
    return pictures.status


def _prepared(arguments: argparse.Namespace) -> tuple[list[str], ZeroShotClassifier | Probe, CLIP]:
    """Return images, classifier and model; options are checked, as far as possible, before a model is loaded."""
    from numpyclip.tasks.zero_shot import ZeroShotClassifier

    if arguments.probe is not None or arguments.classifier is not None:
        return _read(arguments)
    sources, labels = _sources_and_labels(arguments)
    prepared = labels_in(labels, arguments.template, arguments.separator)
    model = load_for_embeddings(arguments)
    embeddings = embedded_labels(model, *prepared)
    classifier = ZeroShotClassifier(model, *prepared, separator=arguments.separator, embeddings=embeddings)
    if arguments.save is not None:
        classifier.save(arguments.save)
    return sources, classifier, model


def _read(arguments: argparse.Namespace) -> tuple[list[str], ZeroShotClassifier | Probe, CLIP]:
    """Read a probe or a classifier, which have their own classes."""
    from numpyclip.tasks.learning.files import read_probe
    from numpyclip.tasks.zero_shot import ZeroShotClassifier

    what = "probe" if arguments.probe is not None else "classifier"
    others = [name for name in ("labels", "separator", "save", "probe", "classifier") if name != what]
    if arguments.template != "{}" or any(getattr(arguments, name) is not None for name in others):
        raise InputError(f"a {what} has its own classes; leave out --{', --'.join(others)} and --template.")
    for item in arguments.items:  # labels are not given beside it
        if item != "-" and not os.path.exists(item):  # noqa: PTH110
            raise InputError(f"{item!r:.200} is no file; with --{what} all items are images, and it has the classes.")
    if what == "classifier":
        model = load_for_embeddings(arguments)
        return arguments.items, ZeroShotClassifier.load(model, arguments.classifier), model
    probe = read_probe(arguments.probe)
    model = load_for_embeddings(arguments)
    probe.check(model.fingerprint)
    return arguments.items, probe, model


def _names_and_parents(
    classifier: ZeroShotClassifier | Probe,
) -> tuple[Sequence[str], Callable[[Array], Mapping[str, Array]]]:
    """Return the names of the classes, and a function to sum probabilities of labels such as "animal/dog" by parent."""
    from numpyclip.tasks.zero_shot import ZeroShotClassifier

    if isinstance(classifier, ZeroShotClassifier):
        return [label.name for label in classifier.labels], classifier.parents
    return classifier.classes, lambda probabilities: {}


def _sources_and_labels(arguments: argparse.Namespace) -> tuple[list[str], list[str] | list[list[str]]]:
    if arguments.labels == "-":
        if "-" in arguments.items:
            raise InputError("images and labels cannot both come from standard input.")
        return arguments.items, list(texts_in("-"))
    if arguments.labels is not None:
        return arguments.items, read_named_labels(arguments.labels)
    source, *labels = arguments.items
    if not labels:
        raise InputError("no labels: give them after the image, or one per line in a file with --labels FILE.")
    for label in labels:  # `classify *.jpg dog cat` is an easy mistake
        if is_picture_name(label) and os.path.isfile(label):  # noqa: PTH113
            raise InputError(f"the label {label!r} is a file. To classify several images, give --labels FILE.")
    return [source], labels
