"""`numpyclip classify`: tell which label fits a picture best."""

import argparse
import json
from pathlib import Path
from typing import Any

from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, texts_in, with_stdin
from numpyclip.cli.options import add_model_options, add_orientation_option, add_verb, load_model, positive
from numpyclip.errors import InputError
from numpyclip.pictures import PICTURE_SUFFIXES

_EXAMPLES = """\
  numpyclip classify photo.jpg "a photo of a dog" "a photo of a cat"
  numpyclip classify emoji.png "a red apple" "a dog" --model tiny
  numpyclip classify photos/ --labels labels.txt --template "a photo of a {}" -n 3
  find . -name "*.jpg" | numpyclip classify - dog cat --json

One line per label, best first: probability and label, with the path before them where there is more than one
picture. The probabilities compare the given labels only; that the best one fits at all is not said. (SigLIP models
judge each label by itself: their probabilities say how well it fits, and do not sum to 1.)"""


def add_to(verbs: Any) -> None:
    """Add the command to the parser."""
    verb = add_verb(verbs, "classify", "Say which label fits a picture best.", _EXAMPLES)
    verb.usage = "numpyclip classify [OPTION ...] PICTURE LABEL [LABEL ...]"
    verb.add_argument(
        "items",
        metavar="PICTURE LABEL",
        nargs="*",
        help="a picture, a folder of pictures, or - for paths on stdin; then texts (with --labels: more pictures)",
    )
    verb.add_argument("--labels", metavar="FILE", help="take the labels from a file, one a line")
    verb.add_argument("--template", default="{}", help='put around every label, such as "a photo of a {}"')
    verb.add_argument("-n", "--top", type=positive, metavar="COUNT", help="print the best COUNT labels only")
    verb.add_argument("--json", action="store_true", help="print one JSON object per picture")
    add_orientation_option(verb)
    add_model_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the labels of every picture, batch by batch."""
    from numpyclip.model.inputs import captions

    sources, labels = _sources_and_labels(arguments)
    texts = captions(labels, arguments.template)
    model = load_model(arguments)
    embedded_texts = model.embed_texts(texts)
    several = len(sources) > 1 or sources[0] == "-" or Path(sources[0]).is_dir()
    pictures = EmbeddedPictures(model, with_stdin(sources, paths_in), arguments.batch_size, arguments.orient)
    for path, embedding in progress(pictures, "picture", printing=True) if several else pictures:
        probabilities = model.probabilities([embedding], embedded_texts)[0].tolist()
        ranked = sorted(zip(probabilities, labels, strict=True), key=lambda pair: -pair[0])[: arguments.top]
        if arguments.json:
            found = [{"label": label, "probability": round(p, 6)} for p, label in ranked]
            print(json.dumps({"picture": path, "labels": found}), flush=True)
        else:
            for p, label in ranked:
                print(*([path] if several else []), f"{p:.4f}", label, sep="\t", flush=True)
    return pictures.status


def _sources_and_labels(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    sources, labels = arguments.items[:1], arguments.items[1:]
    if arguments.labels is not None:
        sources, labels = arguments.items, list(texts_in(arguments.labels))
    if not sources:
        raise InputError("nothing to classify: name a picture or a folder, or - for paths on standard input.")
    if not labels:
        raise InputError("no labels: give them behind the picture, or one a line in a file with --labels FILE.")
    if "-" in sources and arguments.labels == "-":
        raise InputError("pictures and labels cannot both come from standard input.")
    for label in labels:  # `classify *.jpg dog cat` is an easy mistake
        if label.lower().endswith(PICTURE_SUFFIXES) and Path(label).is_file():
            raise InputError(f"the label {label!r} is a file. To classify several pictures, give --labels FILE.")
    return sources, labels
