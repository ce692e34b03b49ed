"""`numpyclip learn`: train a classifier on a few example images per class."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from numpyclip.cli.inputs import EmbeddedPictures, progress, texts_in
from numpyclip.cli.options import add_embedding_options, load_model, model_name, positive
from numpyclip.cli.outputs import check_output, output_path, print_columns, print_json, say
from numpyclip.cli.stores import load_for_embeddings
from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.tasks.learning.examples import Examples
    from numpyclip.tasks.learning.learn import Accuracy
    from numpyclip.tasks.learning.probe import Probe

EXAMPLES = """\
  numpyclip learn animals/ -o animals.npz -m tiny
  numpyclip classify --probe animals.npz docs/pictures/bird.png -m tiny
  numpyclip learn photos/ -o photos-probe.npz --method tip --template "a photo of a {}, a type of pet"
  numpyclip embed images photos/ -o photos.npz; numpyclip learn photos.npz -o photos-probe.npz

Every folder in FOLDER is a class, named as the folder, with its examples in it, at any depth. With an .npz file of
`numpyclip embed images`, classes are the folders in the common folder of all images, or the lines of --classes; no
model is loaded then, except for --method tip, which embeds the names of the classes.

Prints accuracy and mean per-class recall by cross-validation (5 folds; see --folds); C and other settings are chosen
within each training split."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument(
        "source", metavar="FOLDER", help="a folder with a folder for each class, or an .npz file of embeddings"
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", type=output_path(".npz"), required=True, help="the probe to write, .npz"
    )
    command.add_argument(
        "--method",
        choices=["linear", "tip", "mean"],
        default="linear",
        help="logistic regression (default); Tip-Adapter, examples beside the names of classes; nearest class mean",
    )
    command.add_argument(
        "--folds", type=positive, default=5, metavar="N", help="folds of cross-validation (default: 5)"
    )
    command.add_argument(
        "--c",
        type=_c,
        metavar="C",
        help="for linear: weight of the examples against the penalty, as in scikit-learn, on vectors of unit length; "
        "or auto (default): the best on held-out examples",
    )
    command.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the random folds (default: 0)")
    command.add_argument("--template", metavar="TEXT", help='for tip: around names (default: "a photo of a {}")')
    command.add_argument("--classes", metavar="FILE", help="for an .npz file: the class of each vector, one per line")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    add_embedding_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Learn, print how good it is, and write the probe."""
    from numpyclip.tasks.learning.files import save_probe
    from numpyclip.tasks.learning.learn import Accuracy, Recipe, cross_validate, learn

    _check(arguments)
    recipe = Recipe(arguments.method, {"c": arguments.c} if arguments.c else {}, arguments.seed)
    examples, name, status = _examples(arguments)
    _warn_of_single_examples(examples)
    outcomes = progress(cross_validate(examples, recipe, arguments.folds), "fold", printing=False)
    accuracy = Accuracy.of(outcomes, examples.classes)
    probe = replace(learn(examples, recipe), model=name)
    save_probe(probe, arguments.output)
    _print(arguments, examples, probe, accuracy)
    return status


def _check(arguments: argparse.Namespace) -> None:
    """Raise InputError for what would fail, or be ignored, when all images are embedded."""
    if arguments.c and arguments.method != "linear":
        raise InputError(f"--c is for --method linear; {arguments.method} has none.")
    if arguments.template is not None and arguments.method != "tip":
        raise InputError(f"--template is for --method tip; {arguments.method} reads no names.")
    if arguments.folds < 2:
        raise InputError(f"--folds is {arguments.folds}; expected an integer of 2 or more.")
    check_output(arguments.output, [arguments.source, arguments.classes])


def _examples(arguments: argparse.Namespace) -> tuple[Examples, str, int]:
    """Return examples, the name of their model, and the exit status that unreadable images ask for."""
    from numpyclip.tasks.learning.examples import Examples, classes_of_paths, folders_of_examples
    from numpyclip.tasks.learning.files import EmbeddedFile

    source = Path(arguments.source)
    if not source.exists():
        raise InputError(f"{source}: is not there; expected a folder of folders of images, or an .npz file.")
    if source.is_dir() and arguments.classes is not None:
        raise InputError("--classes is for an .npz file; the classes of a folder are the folders in it.")
    if source.is_dir():
        folders, beside = folders_of_examples(source)
        if beside:
            say(f"{source}: {beside} images are in no class's folder; left out.")
        model = load_for_embeddings(arguments)
        pictures = EmbeddedPictures(model, arguments, map(str, folders))
        rows = list(progress(pictures, "image", printing=False))
        if not rows:
            raise InputError(f"{source}: found no image in its folders that can be read.")
        labels = [Path(path).relative_to(source).parts[0] for path, _ in rows]
        examples = Examples.of(np.stack([vector for _, vector in rows]), labels, model.fingerprint)
        name, status = model_name(arguments), pictures.status
    else:
        file, status = EmbeddedFile.read(source), 0
        labels = list(texts_in(arguments.classes)) if arguments.classes is not None else classes_of_paths(file.names)
        examples, name = Examples.of(file.embeddings, labels, file.fingerprint), file.model
    if arguments.method == "tip":
        if not source.is_dir():  # an index has no part in it
            arguments.model = arguments.model or arguments.usual_model
            model = load_model(arguments)
        examples = examples.with_texts(model, *([] if arguments.template is None else [arguments.template]))
    return examples, name, status


def _warn_of_single_examples(examples: Examples) -> None:
    counts = np.bincount(examples.labels, minlength=len(examples.classes))
    if single := [name for name, count in zip(examples.classes, counts, strict=True) if count == 1]:
        say(
            f"{len(single)} classes have one image only, first {single[0]!r:.60}: it is learned from, but "
            "their recall is not measured."
        )


def _print(arguments: argparse.Namespace, examples: Examples, probe: Probe, accuracy: Accuracy | None) -> None:
    settings = {name: float(f"{value:.4g}") for name, value in probe.settings.items()}
    if arguments.json:
        found = {
            "path": str(arguments.output),
            "method": probe.kind,
            "settings": settings,
            "pictures": len(examples),
            "classes": len(probe.classes),
            "tested": accuracy.n_tested if accuracy else 0,
            "accuracy": round(accuracy.accuracy, 6) if accuracy else None,
            "mean_per_class_recall": round(accuracy.mean_per_class_recall, 6) if accuracy else None,
            "recalls": {name: round(value, 6) for name, value in accuracy.recalls.items()} if accuracy else {},
        }
        print_json(found)
        return
    print_columns("pictures", len(examples))
    print_columns("classes", len(probe.classes))
    for name, value in settings.items():
        print_columns(name, f"{value:g}")
    if accuracy is None:
        say("no class has two images, so there is no cross-validation.")
    else:
        print_columns("accuracy", f"{accuracy.accuracy:.4f}")
        print_columns("mean per-class recall", f"{accuracy.mean_per_class_recall:.4f}")


def _c(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number above 0 nor auto")
    return value


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer of 0 or more")
    return int(text)
