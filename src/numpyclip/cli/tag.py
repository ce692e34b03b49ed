"""`numpyclip tag`: find words that are true of images."""

import argparse
import dataclasses

from numpyclip.cli.inputs import (
    EmbeddedPictures,
    PicturePaths,
    exit_status,
    paths_in,
    progress,
    say_left_out,
    texts_beside,
    with_stdin,
)
from numpyclip.cli.options import add_embedding_options, add_pictures, positive
from numpyclip.cli.outputs import print_columns, print_json
from numpyclip.cli.sidecar_writer import SidecarWriter, add_sidecar_options
from numpyclip.cli.stores import load_for_embeddings
from numpyclip.errors import InputError
from numpyclip.xmp.properties import with_automatic

EXAMPLES = """\
  numpyclip tag photos/
  numpyclip tag docs/pictures/album -m tiny -n 3
  numpyclip tag photo.jpg --labels words.txt --threshold 0.2
  find . -name "*.jpg" | numpyclip tag - --json
  numpyclip tag photos/ --write-xmp                   # a dry run; then with --yes
  numpyclip tag photos/ --remove-xmp --yes

One line per tag, the most probable first: path, probability and tag; none for an image of which nothing reaches the
threshold. The prior is that two words of the vocabulary are true: small probabilities for a long list. The
vocabulary is about a thousand everyday nouns and adjectives of WordNet, or one of yours. It is embedded at the first
use with a model, and cached beside the prepared weights.

--write-xmp writes tags into XMP sidecars, in place of those of the last time, for digiKam, Lightroom and Immich: below
the tag "numpyclip", so that they are told from those of a person and can be removed again. Images are never changed."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_pictures(command, "tag")
    command.add_argument("--labels", metavar="FILE", help="choose from the texts in a file, one per line")
    command.add_argument("-n", "--top", type=positive, default=5, metavar="N", help="print the best N (default: 5)")
    command.add_argument(
        "--threshold", type=float, default=0.05, metavar="P", help="minimum probability (default: 0.05)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object per image")
    add_sidecar_options(command, "tags").add_argument(
        "--remove-xmp", action="store_true", help="remove the tags of --write-xmp; a dry run without --yes"
    )
    add_embedding_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Print the tags of every image, batch by batch."""
    from numpyclip.tasks.tags import Tagger

    if arguments.write_xmp and arguments.remove_xmp:
        raise InputError("--write-xmp and --remove-xmp cannot be combined.")
    if arguments.yes and not (arguments.write_xmp or arguments.remove_xmp):
        raise InputError("--yes has nothing to do; expected --write-xmp or --remove-xmp.")
    if arguments.remove_xmp:
        return _remove(arguments)
    vocabulary = texts_beside(arguments.items, arguments.labels, "tags")
    model = load_for_embeddings(arguments)
    tagger = Tagger(model, vocabulary, top_k=arguments.top, threshold=arguments.threshold)
    pictures = EmbeddedPictures(model, arguments, with_stdin(arguments.items, paths_in))
    writer = SidecarWriter(arguments, pictures.report)
    for path, embedding in progress(pictures, "image", printing=True):
        [tags] = tagger([embedding])
        if arguments.write_xmp:
            writer.write(path, with_automatic, [tag.tag for tag in tags])
        elif arguments.json:
            found = [{**dataclasses.asdict(tag), "probability": round(tag.probability, 6)} for tag in tags]
            print_json({"path": path, "tags": found})
        else:
            for tag in tags:
                print_columns(path, f"{tag.probability:.4f}", tag.tag)
    if arguments.write_xmp:
        writer.finish()
    return pictures.status


def _remove(arguments: argparse.Namespace) -> int:
    """Remove the tags in sidecars, without a model."""
    paths = PicturePaths(with_stdin(arguments.items, paths_in))
    writer = SidecarWriter(arguments, paths.report)
    done = sum(writer.write(path, with_automatic, []) for path in paths)
    writer.finish()
    say_left_out(paths.left_out, paths.failed)
    return exit_status(paths.failed, done)
