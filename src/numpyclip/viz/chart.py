"""PROBABILITIES → CHART: bars beside the image that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from numpyclip.errors import InputError
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.open import Picture
from numpyclip.viz.fonts import Line
from numpyclip.viz.thumbnail import read_thumbnail

if TYPE_CHECKING:
    from PIL import Image

_SIDE = 256  # of the image
_MARGIN = 16
_ROW = 44  # a label above its bar
_BARS = 320  # width of a bar for 1
_LETTERS = 15
_MOST_BARS = 200
_TEXT, _FIRST, _OTHER, _TRACK = "#222222", "#8c0c6e", "#c9a3c0", "#eeeeee"  # the first bar is in a color of heat maps


def bar_chart(picture: Picture, bars: Sequence[tuple[str, float]], options: DecodeOptions = DEFAULTS) -> Image.Image:
    """Draw labels and their probabilities to the right of an image, in the order given.

    Parameters
    ----------
    picture : path, bytes, PIL image or array of uint8
    bars : sequence of (label, probability)
        1 to 200 of them. All bars have one scale, from 0 to 1.
    options : DecodeOptions, optional

    Returns
    -------
    PIL.Image.Image
        RGB.

    Raises
    ------
    InputError
        If there are too few or too many bars, or a probability is not in 0..1.
    PictureError
        If the image cannot be read.
    """
    from PIL import Image, ImageDraw

    if not 1 <= len(bars) <= _MOST_BARS:
        raise InputError(f"there are {len(bars)} labels to draw; expected 1 to {_MOST_BARS}.")
    for label, probability in bars:
        if not 0 <= probability <= 1:
            raise InputError(f"the probability of {label!r:.60} is {probability!r:.60}; expected a number in 0..1.")
    height = max(_SIDE, len(bars) * _ROW)
    chart = Image.new("RGB", (_SIDE + _BARS + 3 * _MARGIN, height + 2 * _MARGIN), "white")
    canvas = ImageDraw.Draw(chart)
    image = read_thumbnail(picture, _SIDE, options)
    chart.paste(image, (_MARGIN + (_SIDE - image.width) // 2, _MARGIN + (_SIDE - image.height) // 2))
    x, y = _SIDE + 2 * _MARGIN, _MARGIN + max(0, _SIDE - len(bars) * _ROW) // 2
    for number, (label, probability) in enumerate(bars):
        share = Line.of(f"{probability:.1%}", _LETTERS)
        share.draw(canvas, x + _BARS, y + 12, _TEXT, "rm")
        Line.fitted(label, _LETTERS, _BARS - share.width - _MARGIN).draw(canvas, x, y + 12, _TEXT)
        canvas.rounded_rectangle((x, y + 24, x + _BARS, y + 34), 5, _TRACK)
        colour = _OTHER if number else _FIRST
        if (width := round(probability * _BARS)) > 0:
            canvas.rounded_rectangle((x, y + 24, x + width, y + 34), min(5, width / 2), colour)
        y += _ROW
    return chart
