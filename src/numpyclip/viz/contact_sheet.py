"""IMAGES → PAGES: contact sheets of thumbnails with captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError, MissingPackageError, PictureError
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.open import Picture
from numpyclip.runtime.chunks import batched
from numpyclip.videos.named_moment import Moment
from numpyclip.viz.fonts import Line
from numpyclip.viz.thumbnail import read_thumbnail

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_MARGIN = 12
_LETTERS = 13  # height of captions, in pixels
_LINE = 18
_MOST_LINES = 3
_TEXT, _FRAME, _BACKGROUND, _ERROR = "#222222", "#d8d8d8", "#f4f4f4", "#b3261e"
_MOST_PIXELS = 100_000_000  # of a page


def contact_sheets(
    tiles: Iterable[tuple[Picture | Moment, str]],
    *,
    columns: int = 5,
    rows: int = 6,
    side: int = 160,
    options: DecodeOptions = DEFAULTS,
    report: Callable[[PictureError], object] = lambda error: None,
) -> Iterator[Image.Image]:
    """Draw images with captions in rows, page by page.

    Parameters
    ----------
    tiles : iterable of (image, caption)
        Images as in `CLIP.embed_images`, or moments of videos and animations, which are read when their page is drawn,
        and captions of up to three lines. Lines that are too wide lose their middle.
    columns, rows : int
        Of a page; one that is not full is smaller.
    side : int, default=160
        Of the square that an image is fitted into, in pixels.
    options : DecodeOptions, optional
    report : callable, optional
        Called with the error of each image that cannot be read; its square is crossed out.

    Yields
    ------
    PIL.Image.Image
        RGB.

    Raises
    ------
    InputError
        If the page would be empty or too large.
    """
    _check(columns, rows, side)

    def read(picture: Picture | Moment) -> Image.Image | None:
        try:
            if isinstance(picture, Moment):
                return read_thumbnail(picture.path, side, options, seconds=picture.seconds)
            return read_thumbnail(picture, side, options)
        except (PictureError, MissingPackageError) as error:  # the second of a video
            report(PictureError(str(error)))
            return None

    for tiles_of_page in batched(tiles, columns * rows):
        images = [read(picture) for picture, _ in tiles_of_page]
        captions = [caption.split("\n")[:_MOST_LINES] if caption else [] for _, caption in tiles_of_page]
        yield _page(images, captions, min(columns, len(images)), side)


def _check(columns: int, rows: int, side: int) -> None:
    for name, value, least in (("columns", columns, 1), ("rows", rows, 1), ("side", side, 16)):
        if (count := whole_number(value)) is None or count < least:
            raise InputError(f"{name} is {value!r:.60}; expected an integer of {least} or more.")
    pixels = columns * rows * (side + _MARGIN) * (side + _MARGIN + _MOST_LINES * _LINE)
    if pixels > _MOST_PIXELS:
        raise InputError(f"a page of {columns} by {rows} images has {pixels} pixels; expected {_MOST_PIXELS} at most.")


def _page(images: list[Image.Image | None], captions: list[list[str]], columns: int, side: int) -> Image.Image:
    from PIL import Image, ImageDraw

    across = side + _MARGIN
    down = across + _LINE * max(map(len, captions))
    rows = -(-len(images) // columns)
    page = Image.new("RGB", (_MARGIN + columns * across, _MARGIN + rows * down), "white")
    canvas = ImageDraw.Draw(page)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = _MARGIN + number % columns * across, _MARGIN + number // columns * down
        if image is None:
            _draw_error(canvas, x, y, side)
        else:
            canvas.rectangle((x - 1, y - 1, x + side, y + side), outline=_FRAME)
            page.paste(image, (x + (side - image.width) // 2, y + (side - image.height) // 2))
        for row, text in enumerate(caption):
            line = Line.fitted(text, _LETTERS, side)
            line.draw(canvas, x + side / 2, y + side + 4 + _LINE * (row + 0.5), _TEXT, "mm")
    return page


def _draw_error(canvas: ImageDraw.ImageDraw, x: int, y: int, side: int) -> None:
    """Draw a crossed-out square in place of an image that cannot be read."""
    end = side - 1
    canvas.rectangle((x, y, x + end, y + end), _BACKGROUND, _FRAME)
    canvas.line((x, y, x + end, y + end), _FRAME)
    canvas.line((x, y + end, x + end, y), _FRAME)
    line = Line.fitted("cannot be read", _LETTERS, side)
    half, middle_x, middle_y = line.width / 2 + 4, x + side / 2, y + side / 2
    canvas.rectangle((middle_x - half, middle_y - 10, middle_x + half, middle_y + 10), _BACKGROUND)
    line.draw(canvas, middle_x, middle_y, _ERROR, "mm")
