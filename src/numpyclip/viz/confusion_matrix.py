"""COUNTS → PICTURE: what images show, and what was predicted of them, as a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numpyclip.viz.fonts import Line

if TYPE_CHECKING:
    from PIL import Image

_MOST_SIDE = 4000  # pixels of the picture, names left out
_MOST_NAME = 14  # width of a name, in heights of its letters


def confusion_matrix(counts: NDArray[np.int64], labels: Sequence[str]) -> Image.Image:
    """Draw what pictures show, in rows, and what was predicted of them, in columns.

    The darker a cell, the larger its share of the row. Names and counts are there as long as there is room.

    Parameters
    ----------
    counts : ndarray of shape (n_labels, n_labels), dtype=integer
        As in `Confusion`.
    labels : sequence of str

    Returns
    -------
    PIL.Image.Image
    """
    from PIL import Image, ImageDraw

    n = len(labels)
    cell = max(min(_MOST_SIDE // n, 36), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    light, dark = np.array([255, 255, 255]), np.array([8, 48, 107])
    colours = (light + (dark - light) * shares[:, :, np.newaxis]).round().astype(np.uint8)
    matrix = Image.fromarray(colours).resize((n * cell, n * cell), Image.Resampling.NEAREST)
    if cell < 10:  # no room for names
        return matrix
    size = min(cell // 2, 14)
    names = [Line.fitted(name, size, _MOST_NAME * size) for name in labels]
    margin = int(max(name.width for name in names)) + 12
    picture = Image.new("RGB", (margin + n * cell + 8, margin + n * cell + 8), "white")
    picture.paste(matrix, (margin, margin))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((margin - 1, margin - 1, margin + n * cell, margin + n * cell), outline="grey")
    for place, name in enumerate(names):
        middle = margin + place * cell + cell // 2
        name.draw(draw, margin - 6, middle, "black", "rm")
        column = Image.new("L", (margin - 6, cell))
        name.draw(ImageDraw.Draw(column), 0, cell // 2, "white")
        turned = column.transpose(Image.Transpose.ROTATE_90)
        picture.paste("black", (middle - cell // 2, 0), turned)
    for row, column_of in zip(*np.nonzero(counts), strict=True):
        x, y = (margin + cell // 2 + cell * int(place) for place in (column_of, row))
        Line.of(str(counts[row, column_of]), size).draw(
            draw, x, y, "white" if shares[row, column_of] > 0.5 else "black", "mm"
        )
    return picture
