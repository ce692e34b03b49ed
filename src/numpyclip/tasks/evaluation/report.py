"""ANSWERS → FILES: tables of what was predicted, and a picture of what is taken for what."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.atomic import atomic_file
from numpyclip.errors import InputError

if TYPE_CHECKING:  # Pillow is imported when a picture is wanted
    from PIL import Image

REPORT_SUFFIXES = (".csv", ".json")
Row = Mapping[str, "str | float | None"]

_MOST_SIDE = 4000  # pixels of the picture, names left out
_MOST_NAME = 24  # letters


def write_report(file: Path, rows: Iterable[Row], summary: Mapping[str, Any]) -> None:
    """Write what was predicted, whole or not at all.

    Parameters
    ----------
    file : Path
        ``.csv``: the rows, under the names of their columns. ``.json``: an object with the summary, and the rows as
        "pictures"; what is NaN is null.
    rows : iterable of mappings
        With the same keys.
    summary : mapping

    Raises
    ------
    InputError
        If the name has another suffix.
    NumPyCLIPError
        If the file cannot be written.
    """
    if file.suffix.lower() not in REPORT_SUFFIXES:
        raise InputError(f"{file}: expected a name that ends in {' or '.join(REPORT_SUFFIXES)}.")
    listed = [dict(row) for row in rows]
    with atomic_file(file) as stream:
        if file.suffix.lower() == ".json":
            stream.write(json_text({**summary, "pictures": listed}, indent=1).encode("utf-8"))
            return
        text = io.TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline="")  # names may be no text
        writer = csv.DictWriter(text, list(listed[0]) if listed else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
        text.detach()


def json_text(value: Mapping[str, Any], indent: int | None = None) -> str:
    """Write JSON, in which there is no NaN."""
    return json.dumps(_without_nan(value), indent=indent)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def draw_confusion(counts: NDArray[np.int64], labels: Sequence[str]) -> Image.Image:
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
    from PIL import Image, ImageDraw, ImageFont

    n = len(labels)
    cell = max(min(_MOST_SIDE // n, 36), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    light, dark = np.array([255, 255, 255]), np.array([8, 48, 107])
    colours = (light + (dark - light) * shares[:, :, np.newaxis]).round().astype(np.uint8)
    matrix = Image.fromarray(colours).resize((n * cell, n * cell), Image.Resampling.NEAREST)
    if cell < 10:  # no room for names
        return matrix
    font = ImageFont.load_default(min(cell // 2, 14))
    names = [name if len(name) <= _MOST_NAME else name[: _MOST_NAME - 1] + "…" for name in labels]
    margin = int(max(font.getlength(name) for name in names)) + 12
    picture = Image.new("RGB", (margin + n * cell + 8, margin + n * cell + 8), "white")
    picture.paste(matrix, (margin, margin))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((margin - 1, margin - 1, margin + n * cell, margin + n * cell), outline="grey")
    for place, name in enumerate(names):
        middle = margin + place * cell + cell // 2
        draw.text((margin - 6, middle), name, "black", font, anchor="rm")
        column = Image.new("L", (margin - 6, cell))
        ImageDraw.Draw(column).text((0, cell // 2), name, 255, font, anchor="lm")
        turned = column.transpose(Image.Transpose.ROTATE_90)
        picture.paste("black", (middle - cell // 2, 0), turned)
    for row, column_of in zip(*np.nonzero(counts), strict=True):
        at = margin + cell // 2 + cell * np.array([column_of, row])
        colour = "white" if shares[row, column_of] > 0.5 else "black"
        draw.text(tuple(at.tolist()), str(counts[row, column_of]), colour, font, anchor="mm")
    return picture
