"""`numpyclip explain`: show which parts of an image matter for a text."""

from __future__ import annotations

import argparse
import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from numpyclip.atomic import atomic_file
from numpyclip.cli.inputs import progress
from numpyclip.cli.options import add_file_options, add_model_options, decode_options, load_model, positive
from numpyclip.cli.outputs import check_output, output_path
from numpyclip.errors import InputError
from numpyclip.images.decode_options import DecodeOptions

if TYPE_CHECKING:
    from PIL import Image

    from numpyclip.model.ops import Array

EXAMPLES = """\
  numpyclip explain photo.jpg "a dog" "a ball" -o heat.png
  numpyclip explain docs/pictures/house.png "a window" -m tiny -o heat.png
  numpyclip explain photo.jpg "a dog" --grid 16 -o heat.npy

One line per text: the hottest pixel, counted from the left and from the top, and the text. To .png: the image, and
beside it the heat of each text laid over it, from violet by red to yellow. To .npy: float32 of (texts, y, x), NaN where
the model sees nothing. A map is drawn for any text, whether the image shows it or not."""

_COLUMNS = 4
_SIDE = 256


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.usage = "numpyclip explain [OPTION ...] PICTURE TEXT [TEXT ...]"
    command.add_argument("items", metavar="PICTURE TEXT", nargs="*", help="an image, then texts")
    command.add_argument("-o", "--output", metavar="FILE", type=output_path(".png", ".npy"), help="write .png or .npy")
    command.add_argument(
        "--grid", type=positive, default=8, metavar="N", help="windows per side: more find smaller things (default: 8)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object per text")
    add_file_options(command)
    add_model_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Print the hottest pixel for each text, and draw the maps."""
    from numpyclip.images.open import open_picture
    from numpyclip.tasks.explanations import explain

    if len(arguments.items) < 2:
        raise InputError("nothing to explain: name an image, and then one or more texts.")
    path, *texts = arguments.items
    check_output(arguments.output, [path])
    image = open_picture(path, decode_options(arguments, draft=False))
    maps = explain(
        load_model(arguments),
        image,
        texts,
        grid=arguments.grid,
        batch_size=arguments.batch_size,
        progress=partial(progress, unit="window", printing=False),
    )
    for text, heat in zip(texts, maps, strict=True):
        y, x = (int(place) for place in np.unravel_index(np.nanargmax(heat), heat.shape))
        if arguments.json:
            print(json.dumps({"path": path, "text": text, "hottest": [x, y]}))
        else:
            print(x, y, text, sep="\t")
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
