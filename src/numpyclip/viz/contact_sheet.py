"""PICTURES → PAGES: contact sheets of thumbnails with captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError, PictureError
from numpyclip.images.open import Picture, open_picture
from numpyclip.runtime.chunks import batched
from numpyclip.viz.fonts import Line
from numpyclip.viz.thumbnail import thumbnail

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_MARGIN = 12
_LETTERS = 13  # height of captions, in pixels
_LINE = 18
_MOST_LINES = 3
_INK, _FRAME, _FAINT, _RED = "#222222", "#d8d8d8", "#f4f4f4", "#b3261e"
_MOST_PIXELS = 100_000_000  # of a page


def contact_sheets(
    tiles: Iterable[tuple[Picture, str]],
    *,
    columns: int = 5,
    rows: int = 6,
    side: int = 160,
    orient: bool = True,
    report: Callable[[PictureError], object] = lambda error: None,
) -> Iterator[Image.Image]:
    """Draw pictures with captions in rows, page by page.

    Parameters
    ----------
    tiles : iterable of (picture, caption)
        Pictures as in `CLIP.embed_images`, read when their page is drawn, and texts of up to three lines. Captions that
        are too wide lose their middle. Letters that no font at hand has are written as escape sequences.
    columns, rows : int
        Of a page; one that is not full is smaller.
    side : int, default=160
        Of the square in which a picture has its place, in pixels.
    orient : bool, default=True
        Turn pictures as their EXIF orientation says.
    report : callable, optional
        Called with the error of each picture that cannot be read; its place is crossed out.

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
    for page in batched(tiles, columns * rows):
        yield _page(
            [_Tile(picture, caption, side, orient, report) for picture, caption in page], min(columns, len(page))
        )


def _check(columns: int, rows: int, side: int) -> None:
    for name, value, least in (("columns", columns, 1), ("rows", rows, 1), ("side", side, 16)):
        count = whole_number(value)
        if count is None or count < least:
            raise InputError(f"{name} is {value!r:.60}; expected a whole number of {least} or more.")
    pixels = columns * rows * (side + _MARGIN) * (side + _MARGIN + _MOST_LINES * _LINE)
    if pixels > _MOST_PIXELS:
        raise InputError(f"a page of {columns} by {rows} pictures would have {pixels} pixels; expected {_MOST_PIXELS}.")


class _Tile:
    """A thumbnail, or the sign that there is none, above its caption."""

    def __init__(
        self, picture: Picture, caption: str, side: int, orient: bool, report: Callable[[PictureError], object]
    ) -> None:
        self.side = side
        lines = caption.split("\n")[:_MOST_LINES] if caption else []
        self.lines = [Line.fitted(line, _LETTERS, side) for line in lines]
        self.image: Image.Image | None = None
        try:
            self.image = thumbnail(open_picture(picture, orient=orient, draft_size=side), side)
        except PictureError as error:
            report(error)

    def draw(self, page: Image.Image, canvas: ImageDraw.ImageDraw, x: int, y: int) -> None:
        """Draw it with its left upper corner at a place."""
        end = self.side - 1
        if self.image is None:
            canvas.rectangle((x, y, x + end, y + end), _FAINT, _FRAME)
            canvas.line((x, y, x + end, y + end), _FRAME)
            canvas.line((x, y + end, x + end, y), _FRAME)
            line = Line.fitted("cannot be read", _LETTERS, self.side)
            half = line.width / 2 + 4
            middle_x, middle_y = x + self.side / 2, y + self.side / 2
            canvas.rectangle((middle_x - half, middle_y - 10, middle_x + half, middle_y + 10), _FAINT)
            line.draw(canvas, middle_x, middle_y, _RED, "mm")
        else:
            canvas.rectangle((x - 1, y - 1, x + end + 1, y + end + 1), outline=_FRAME)
            across, down = (self.side - length for length in self.image.size)
            page.paste(self.image, (x + across // 2, y + down // 2))
        for number, line in enumerate(self.lines):
            line.draw(canvas, x + self.side / 2, y + self.side + 4 + _LINE * (number + 0.5), _INK, "mm")


def _page(tiles: list[_Tile], columns: int) -> Image.Image:
    from PIL import Image, ImageDraw

    across = tiles[0].side + _MARGIN
    down = across + _LINE * max(len(tile.lines) for tile in tiles)
    rows = -(-len(tiles) // columns)
    page = Image.new("RGB", (_MARGIN + columns * across, _MARGIN + rows * down), "white")
    canvas = ImageDraw.Draw(page)
    for number, tile in enumerate(tiles):
        tile.draw(page, canvas, _MARGIN + number % columns * across, _MARGIN + number // columns * down)
    return page
