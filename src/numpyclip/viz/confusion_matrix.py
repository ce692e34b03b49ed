"""COUNTS → PICTURE: a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numpyclip.viz.fonts import Line

if TYPE_CHECKING:
    from PIL import Image

_MOST_SIDE = 4000  # pixels of the matrix, without names
_MOST_NAME = 14  # width of a name, in font sizes


def confusion_matrix(counts: NDArray[np.int64], labels: Sequence[str]) -> Image.Image:
    """Draw counts (n_labels, n_labels) of labels, in rows, and predictions, in columns.

    The darker a cell, the larger its share of the row. Names and counts are left out if there is no room.
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
    for position, name in enumerate(names):
        middle = margin + position * cell + cell // 2
        name.draw(draw, margin - 6, middle, "black", "rm")
        column = Image.new("L", (margin - 6, cell))
        name.draw(ImageDraw.Draw(column), 0, cell // 2, "white")
        turned = column.transpose(Image.Transpose.ROTATE_90)
        picture.paste("black", (middle - cell // 2, 0), turned)
    for i, j in np.argwhere(counts).tolist():
        colour = "white" if shares[i, j] > 0.5 else "black"
        x, y = margin + cell // 2 + cell * j, margin + cell // 2 + cell * i
        Line.of(str(counts[i, j]), size).draw(draw, x, y, colour, "mm")
    return picture
