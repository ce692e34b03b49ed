"""`numpyclip tag`: find words that are true of pictures."""

import argparse
import dataclasses
import json
from typing import Any

from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, texts_beside, with_stdin
from numpyclip.cli.options import (
    add_model_options,
    add_picture_options,
    add_renamed_option,
    add_verb,
    load_model,
    positive,
)
from numpyclip.errors import InputError

_EXAMPLES = """\
  numpyclip tag photos/
  numpyclip tag docs/pictures/album -m tiny -n 3
  numpyclip tag photo.jpg --labels words.txt --threshold 0.2
  find . -name "*.jpg" | numpyclip tag - --json

One line per tag, the most probable first: path, probability and tag; none for a picture of which nothing reaches the
threshold. The probability is that the tag is true, if two of the vocabulary are: a small number for a long list. The
vocabulary is about a thousand everyday nouns and adjectives of WordNet, or one of yours. It is embedded at the first
use with a model, and kept beside the prepared weights."""


def add_to(verbs: Any) -> None:
    """Add the command to the parser."""
    verb = add_verb(verbs, "tag", _EXAMPLES)
    verb.add_argument("items", metavar="PICTURE", nargs="*", help="a picture, a folder, or - for paths on stdin")
    add_renamed_option(
        verb, "--labels", old="--vocabulary", metavar="FILE", help="choose from the texts in a file, one a line"
    )
    verb.add_argument("-n", "--top", type=positive, default=5, metavar="N", help="print the best N tags (default: 5)")
    verb.add_argument("--threshold", type=float, default=0.05, metavar="P", help="minimum probability (default: 0.05)")
    verb.add_argument("--json", action="store_true", help="print one JSON object per picture")
    add_picture_options(verb)
    add_model_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the tags of every picture, batch by batch."""
    from numpyclip.tasks.tags import Tagger

    if not arguments.items:
        raise InputError("nothing to tag: name a picture or a folder, or - for paths on standard input.")
    vocabulary = texts_beside(arguments.items, arguments.labels, "tags")
    model = load_model(arguments)
    tagger = Tagger(model, vocabulary, top_k=arguments.top, threshold=arguments.threshold)
    sources = with_stdin(arguments.items, paths_in)
    pictures = EmbeddedPictures(model, arguments, sources)
    for path, embedding in progress(pictures, "picture", printing=True):
        [tags] = tagger([embedding])
        if arguments.json:
            found = [{**dataclasses.asdict(tag), "probability": round(tag.probability, 6)} for tag in tags]
            print(json.dumps({"path": path, "tags": found}), flush=True)
        else:
            for tag in tags:
                print(path, f"{tag.probability:.4f}", tag.tag, sep="\t", flush=True)
    return pictures.status
