"""`numpyclip explain`: draw a heat map of where a text is found in an image."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from numpyclip.atomic import atomic_file
from numpyclip.cli.inputs import progress
from numpyclip.cli.options import (
    add_file_options,
    add_model_options,
    add_views_option,
    decode_options,
    load_model,
    positive,
)
from numpyclip.cli.outputs import check_output, output_path, print_columns, print_json
from numpyclip.errors import InputError
from numpyclip.images.decode_options import DecodeOptions

if TYPE_CHECKING:
    from PIL import Image

    from numpyclip.model.ops import Array

EXAMPLES = """\
  numpyclip explain photo.jpg "a dog" "a ball" -o heat.png
  numpyclip explain docs/pictures/house.png "a window" -m tiny -o heat.png
  numpyclip explain photo.jpg "a dog" --grid 16 -o heat.npy
  numpyclip explain panorama.jpg "a dog" --views crop,tiles -o heat.png

One line per text: the hottest pixel, counted from the left and from the top, and the text. To .png: the image, and
beside it the heat of each text laid over it, from violet by red to yellow. To .npy: float32 of (texts, y, x), NaN where
the model sees nothing. A map is drawn for any text, whether the image shows it or not. Of several --views each text
gets the one with the highest cosine, as in a search, which is named before the text."""

_COLUMNS = 4
_SIDE = 256


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.usage = "numpyclip explain [OPTION ...] IMAGE TEXT [TEXT ...]"
    command.add_argument("items", metavar="IMAGE TEXT", nargs="*", help="an image, then texts")
    command.add_argument("-o", "--output", metavar="FILE", type=output_path(".png", ".npy"), help="write .png or .npy")
    command.add_argument(
        "--grid", type=positive, default=8, metavar="N", help="windows per side: more find smaller things (default: 8)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object per text")
    add_views_option(command)
    add_file_options(command)
    add_model_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Print the hottest pixel for each text, and draw the maps."""
    from numpyclip.images.open import open_picture
    from numpyclip.tasks.explanations import best_views, explain

    if len(arguments.items) < 2:
        raise InputError("nothing to explain: name an image, and then one or more texts.")
    path, *texts = arguments.items
    check_output(arguments.output, [path])
    image = open_picture(path, decode_options(arguments, draft=False))
    model = load_model(arguments)
    views = best_views(model, image, texts, arguments.views) if arguments.views else ["crop"] * len(texts)
    maps = np.empty((len(texts), image.height, image.width), np.float32)
    for view in dict.fromkeys(views):
        rows = [row for row, best in enumerate(views) if best == view]
        maps[rows] = explain(
            model,
            image,
            [texts[row] for row in rows],
            grid=arguments.grid,
            batch_size=arguments.batch_size,
            view=view,
            progress=partial(progress, unit="window", printing=False),
        )
    for text, heat, view in zip(texts, maps, views, strict=True):
        y, x = (int(place) for place in np.unravel_index(np.nanargmax(heat), heat.shape))
        shown = {} if arguments.views is None else {"view": view}
        if arguments.json:
            print_json({"path": path, "text": text, **shown, "hottest": [x, y]})
        else:
            print_columns(x, y, *shown.values(), text)
    if arguments.output is not None:
        with atomic_file(arguments.output) as file:
            if arguments.output.suffix == ".npy":
                np.save(file, maps)
            else:
                _drawn(image, texts, maps).save(file, "PNG")
    return 0


def _drawn(image: Image.Image, texts: list[str], maps: Array) -> Image.Image:
    """Draw the image and its maps side by side."""
    from numpyclip.viz.contact_sheet import contact_sheets
    from numpyclip.viz.heat_map import overlay

    tiles = [(image, ""), *((overlay(image, heat), text) for text, heat in zip(texts, maps, strict=True))]
    columns = min(len(tiles), _COLUMNS)
    (page,) = contact_sheets(
        tiles, columns=columns, rows=-(-len(tiles) // columns), side=_SIDE, options=DecodeOptions(orient=False)
    )
    return page
