"""Draw search results: the best drawings of a set for each of some texts.

    python results.py DATA SET OUT.png "a red car" "two cats" ...

With the model in the package, and NumPyCLIP itself. Made the pictures of docs/explanations/tiny.md, of Twemoji
(CC BY 4.0).
"""

import argparse
import textwrap
from pathlib import Path

from PIL import Image

import numpyclip
from evaluate import on_white
from numpyclip.viz.contact_sheet import contact_sheets
from splits import read

_FOUND, _SIDE, _LETTERS = 6, 96, 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("set", metavar="SET")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    given = parser.parse_args()
    model, _ = numpyclip.load("tiny")
    tiles, known = read(given.data, given.set)
    pictures = on_white(tiles)
    similarity = model.embed_texts(given.texts) @ model.embed_images(pictures).T
    shown = []
    for text, row in zip(given.texts, similarity, strict=True):
        shown.append((Image.new("RGB", (_SIDE, _SIDE), "white"), textwrap.fill(f"\u201c{text}\u201d", _LETTERS)))
        best = row.argsort()[::-1][:_FOUND]
        shown += [(Image.fromarray(pictures[number]), textwrap.fill(known[number]["cap"], _LETTERS)) for number in best]
    (page,) = contact_sheets(shown, columns=1 + _FOUND, rows=len(given.texts), side=_SIDE)
    page.quantize(256).save(given.out, optimize=True)


if __name__ == "__main__":
    main()
