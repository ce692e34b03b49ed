"""`numpyclip map`: a page on which similar images are close together."""

from __future__ import annotations

import argparse
import os
from itertools import islice

import numpy as np

from numpyclip.atomic import atomic_file
from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, with_stdin
from numpyclip.cli.options import add_embedding_options, add_pictures, decode_options, model_name, positive
from numpyclip.cli.outputs import check_output, output_path, print_json, say
from numpyclip.cli.stores import load_for_embeddings
from numpyclip.errors import NumPyCLIPError, PictureError

EXAMPLES = """\
  numpyclip map photos/ -o map.html
  numpyclip map docs/pictures/album -m tiny -o map.html

Writes one page of HTML that contains everything, thumbnails too, and loads nothing from elsewhere: open it in any
browser; drag, turn the wheel, search by file name. Coordinates are the first two principal components of the
embeddings: images that are close together may differ in the others."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_pictures(command, "map")
    command.add_argument("-o", "--output", metavar="FILE", type=output_path(".html"), required=True, help="write .html")
    command.add_argument(
        "--limit", type=positive, default=5000, metavar="N", help="take the first N images only (default: 5000)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object with the coordinates of images")
    add_embedding_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Embed images, and write the page."""
    from numpyclip.runtime.prefetch import prefetch
    from numpyclip.viz.embedding_map import map_page, principal_components, thumbnail_uri

    check_output(arguments.output)
    pictures = EmbeddedPictures(load_for_embeddings(arguments), arguments, with_stdin(arguments.items, paths_in))
    embedded = list(islice(progress(pictures, "image", printing=False), arguments.limit + 1))
    if len(embedded) > arguments.limit:
        del embedded[-1]
        say(f"the map has the first {arguments.limit} images only; --limit takes more.")
    if not embedded:
        raise NumPyCLIPError(f"{arguments.output}: not written, there is nothing to put into it.")
    points = principal_components(np.stack([embedding for _, embedding in embedded]))

    def thumbnail(path: str) -> str:
        try:
            return thumbnail_uri(path, decode_options(arguments))
        except PictureError as error:  # it has gone since, or its embedding was in the index
            pictures.report(error)
            return "data:,"

    paths = [path for path, _ in embedded]
    thumbnails = prefetch(thumbnail, paths, arguments.batch_size)
    title = f"{', '.join(map(os.fspath, arguments.items))} by {model_name(arguments)}"
    page = map_page(points, paths, thumbnails, title)
    with atomic_file(arguments.output) as file:
        file.write(page.encode("ascii"))
    if arguments.json:
        places = [{"path": path, "coordinates": place} for path, place in zip(paths, points.tolist(), strict=True)]
        print_json({"path": str(arguments.output), "pictures": places})
    return pictures.status
