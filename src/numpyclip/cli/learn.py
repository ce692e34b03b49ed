"""`numpyclip learn`: learn classes from a folder of examples for each."""

from __future__ import annotations

import argparse
import json
import os
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from numpyclip.cli.inputs import EmbeddedPictures, progress, texts_in
from numpyclip.cli.options import add_embedding_options, load_model, model_name, positive
from numpyclip.cli.outputs import check_output, output_path
from numpyclip.errors import InputError
from numpyclip.images.find import is_ignored, is_picture_name

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
    command.add_argument("--classes", metavar="FILE", help="for an .npz file: the class of each vector, one a line")
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
    """Raise InputError for what would fail, or be ignored, when all pictures are embedded."""
    if arguments.c and arguments.method != "linear":
        raise InputError(f"--c is for --method linear; {arguments.method} has none.")
    if arguments.template is not None and arguments.method != "tip":
        raise InputError(f"--template is for --method tip; {arguments.method} reads no names.")
    if arguments.folds < 2:
        raise InputError(f"--folds is {arguments.folds}; expected an integer of 2 or more.")
    check_output(arguments.output, [arguments.source, arguments.classes])


def _examples(arguments: argparse.Namespace) -> tuple[Examples, str, int]:
    """Return examples, the name of their model, and the exit status that unreadable pictures ask for."""
    from numpyclip.tasks.learning.examples import Examples
    from numpyclip.tasks.learning.files import EmbeddedFile

    source = Path(arguments.source)
    if not source.exists():
        raise InputError(f"{source}: is not there; expected a folder of folders of images, or an .npz file.")
    if source.is_dir() and arguments.classes is not None:
        raise InputError("--classes is for an .npz file; the classes of a folder are the folders in it.")
    if source.is_dir():
        model = load_model(arguments)
        pictures = EmbeddedPictures(model, arguments, map(str, _class_folders(source)))
        rows = list(progress(pictures, "image", printing=False))
        if not rows:
            raise InputError(f"{source}: found no image in its folders that can be read.")
        labels = [Path(path).relative_to(source).parts[0] for path, _ in rows]
        examples = Examples.of(np.stack([vector for _, vector in rows]), labels, model.fingerprint)
        name, status = model_name(arguments), pictures.status
    else:
        file, status = EmbeddedFile.read(source), 0
        labels = list(texts_in(arguments.classes)) if arguments.classes is not None else _folders_of(file.names)
        examples, name = Examples.of(file.embeddings, labels, file.fingerprint), file.model
    if arguments.method == "tip":
        model = model if source.is_dir() else load_model(arguments)
        examples = examples.with_texts(model, *([] if arguments.template is None else [arguments.template]))
    return examples, name, status


def _class_folders(folder: Path) -> list[Path]:
    """List the folders of the classes; pictures beside them are reported."""
    try:
        found = sorted(path for path in folder.iterdir() if not is_ignored(path.name))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror or error}).") from error
    folders = [path for path in found if path.is_dir()]
    if len(folders) < 2:
        raise InputError(f"{folder}: holds {len(folders)} folders; expected one for each class, so two or more.")
    _check_names([path.name for path in folders])
    if beside := sum(is_picture_name(path.name) for path in found if not path.is_dir()):
        print(f"numpyclip: {folder}: {beside} images are in no class's folder; they are left out.", file=sys.stderr)
    return folders


def _check_names(names: Iterable[str]) -> None:
    """Raise InputError if two names look the same: one class in two folders would be learned as two."""
    seen: dict[str, str] = {}
    for name in names:
        if (first := seen.setdefault(_alike(name), name)) != name:
            raise InputError(
                f"{first!r} and {name!r} seem to be the same class; rename one of the folders or join them."
            )


def _alike(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").replace("-", " ").split())


def _folders_of(names: list[str]) -> list[str]:
    """Name the classes of pictures: the folders in the common folder of all."""
    try:
        common = os.path.commonpath([os.path.dirname(name) for name in names])  # noqa: PTH120  they need not be here
        labels = [Path(name).relative_to(common).parts[0] for name in names]
    except ValueError as error:  # some absolute, some not; or none at all
        raise InputError(f"the images have no common folder ({error}); pass the classes with --classes.") from error
    if alone := [name for name, label in zip(names, labels, strict=True) if label == Path(name).name]:
        raise InputError(f"{alone[0]!r:.200} is in no class's folder; pass the classes with --classes.")
    _check_names(dict.fromkeys(labels))
    return labels


def _warn_of_single_examples(examples: Examples) -> None:
    counts = np.bincount(examples.labels, minlength=len(examples.classes))
    if single := [name for name, count in zip(examples.classes, counts, strict=True) if count == 1]:
        print(
            f"numpyclip: {len(single)} classes have one image only, first {single[0]!r:.60}: it is learned from, but "
            "their recall is not measured.",
            file=sys.stderr,
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
        print(json.dumps(found))
        return
    print("pictures", len(examples), sep="\t")
    print("classes", len(probe.classes), sep="\t")
    for name, value in settings.items():
        print(name, f"{value:g}", sep="\t")
    if accuracy is None:
        print("numpyclip: no class has two images, so there is no cross-validation.", file=sys.stderr)
    else:
        print("accuracy", f"{accuracy.accuracy:.4f}", sep="\t")
        print("mean per-class recall", f"{accuracy.mean_per_class_recall:.4f}", sep="\t")


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
