"""`numpyclip tag`: find words that are true of images."""

import argparse
import dataclasses

from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, texts_beside, with_stdin
from numpyclip.cli.options import add_embedding_options, add_pictures, load_model, positive
from numpyclip.cli.outputs import print_columns, print_json

EXAMPLES = """\
  numpyclip tag photos/
  numpyclip tag docs/pictures/album -m tiny -n 3
  numpyclip tag photo.jpg --labels words.txt --threshold 0.2
  find . -name "*.jpg" | numpyclip tag - --json

One line per tag, the most probable first: path, probability and tag; none for an image of which nothing reaches the
threshold. The prior is that two words of the vocabulary are true: small probabilities for a long list. The
vocabulary is about a thousand everyday nouns and adjectives of WordNet, or one of yours. It is embedded at the first
use with a model, and cached beside the prepared weights."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_pictures(command, "tag")
    command.add_argument("--labels", metavar="FILE", help="choose from the texts in a file, one a line")
    command.add_argument("-n", "--top", type=positive, default=5, metavar="N", help="print the best N (default: 5)")
    command.add_argument(
        "--threshold", type=float, default=0.05, metavar="P", help="minimum probability (default: 0.05)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object per image")
    add_embedding_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Print the tags of every image, batch by batch."""
    from numpyclip.tasks.tags import Tagger

    vocabulary = texts_beside(arguments.items, arguments.labels, "tags")
    model = load_model(arguments)
    tagger = Tagger(model, vocabulary, top_k=arguments.top, threshold=arguments.threshold)
    pictures = EmbeddedPictures(model, arguments, with_stdin(arguments.items, paths_in))
    for path, embedding in progress(pictures, "image", printing=True):
        [tags] = tagger([embedding])
        if arguments.json:
            found = [{**dataclasses.asdict(tag), "probability": round(tag.probability, 6)} for tag in tags]
            print_json({"path": path, "tags": found})
        else:
            for tag in tags:
                print_columns(path, f"{tag.probability:.4f}", tag.tag)
    return pictures.status
