"""`numpyclip caption`: caption images."""

import argparse

from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, texts_beside, with_stdin
from numpyclip.cli.options import add_embedding_options, add_pictures, file_options
from numpyclip.cli.outputs import print_columns, print_json
from numpyclip.cli.stores import load_for_embeddings
from numpyclip.errors import PictureError

EXAMPLES = """\
  numpyclip caption photo.jpg
  numpyclip caption docs/pictures/album -m tiny
  numpyclip caption photos/ --labels captions.txt --json
  numpyclip caption photos/ -m hf-hub:laion/mscoco_finetuned_CoCa-ViT-B-32-laion2B-s13B-b90k

One line per image: path, method, probability that the caption is true, caption. The method is "generated" where the
model is a CoCa, which writes sentences. Any other CLIP cannot: its captions are "phrases", put together from words as
long as they fit better. With --labels they are the "nearest" of a list. Prior: 0.5 for generated captions; otherwise
one true entry among the captions, or the thousand or so subjects of phrases, so mostly small probabilities."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_pictures(command, "caption")
    command.add_argument("--labels", metavar="FILE", help="choose from the texts in a file, one per line")
    command.add_argument("--json", action="store_true", help="print one JSON object per image")
    add_embedding_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Print the caption of every image, batch by batch."""
    from numpyclip.tasks.captions import Captioner

    captions = texts_beside(arguments.items, arguments.labels, "captions")
    model = load_for_embeddings(arguments)
    captioner = Captioner(model, captions)
    pictures = EmbeddedPictures(model, arguments, with_stdin(arguments.items, paths_in))
    for path, embedding in progress(pictures, "image", printing=True):
        try:
            [found] = captioner([path], embedding[None], orient=arguments.orient, **file_options(arguments))
        except PictureError as error:  # it has gone since, or its embedding was in the index
            pictures.report(error)
            continue
        p = found.probability
        if arguments.json:
            facts = {"path": path, "caption": found.text, "method": found.method, "probability": round(p, 6)}
            print_json(facts)
        else:
            print_columns(path, found.method, f"{p:.4f}", found.text)
    return pictures.status
