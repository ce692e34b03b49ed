"""Draw a contact sheet of the rendered data: some drawings of every set, with their captions.

python sheet.py DATA OUT.png
"""

import argparse
import random
from pathlib import Path

from PIL import Image

from evaluate import on_white
from numpyclip.viz.contact_sheet import contact_sheets
from sources import sets
from splits import read

_OF_EACH = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    rng, tiles = random.Random(0), []
    for name in sets():
        drawn, known = read(given.data, name)
        for row in sorted(rng.sample(range(len(known)), min(_OF_EACH, len(known)))):
            picture = Image.fromarray(on_white(drawn[row : row + 1])[0])
            tiles.append((picture, f"{known[row]['cap']}\n{name}"))
    (page,) = contact_sheets(tiles, columns=_OF_EACH, rows=-(-len(tiles) // _OF_EACH), side=96)
    page.save(given.out)


if __name__ == "__main__":
    main()
