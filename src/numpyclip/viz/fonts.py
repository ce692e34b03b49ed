"""TEXT → LETTERS: fonts that can show a text, among those that are installed, and texts cut to a width.

Pillow's own font knows little but Latin letters. What no font at hand can show is written as an escape sequence, so
that names stay distinguishable, and nothing that is invisible or turns the writing around gets into a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from numpyclip.errors import InputError

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

# Pillow finds them by these names in the folders of the system. Each is tried where those before it lack a letter.
_FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial Unicode.ttf", "LiberationSans-Regular.ttf"),
    *("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "msyh.ttc"),
    *("msgothic.ttc", "malgun.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "FreeSans.ttf", "unifont.ttf"),
)
_NO_LETTER = "\U0010ffff"  # never assigned: every font draws its sign for what it lacks


@dataclass(frozen=True)
class Line:
    """A text on one line, that a font can show.

    Attributes
    ----------
    text : str
    font : PIL.ImageFont.FreeTypeFont
    """

    text: str
    font: ImageFont.FreeTypeFont

    @classmethod
    def fitted(cls, text: str, size: int, width: float) -> Line:
        """Choose a font of so many pixels, and cut out the middle of a text that is wider than so many."""
        line = cls.of(text, size)
        if line.width <= width:
            return line
        shortest, longest = 0, len(line.text) - 1  # letters that are left
        while shortest < longest:
            kept = (shortest + longest + 1) // 2
            shortest, longest = (kept, longest) if line.cut(kept).width <= width else (shortest, kept - 1)
        return line.cut(shortest)

    @classmethod
    def of(cls, text: str, size: int) -> Line:
        """Choose a font of so many pixels."""
        letters = " ".join(text.split())
        fonts = [default_font(size), *filter(None, (_installed(name, size) for name in _FONTS))]
        font = min(fonts, key=lambda font: sum(not _has(font, letter) for letter in set(letters)))
        return cls("".join(letter if _has(font, letter) else _escaped(letter) for letter in letters), font)

    def cut(self, kept: int) -> Line:
        """Leave so many letters, half of them at the end."""
        end = len(self.text) - kept // 2
        return Line(f"{self.text[: kept - kept // 2]}...{self.text[end:]}", self.font)

    @property
    def width(self) -> float:
        """In pixels."""
        return self.font.getlength(self.text)

    def draw(self, canvas: ImageDraw.ImageDraw, x: float, y: float, colour: str, anchor: str = "lm") -> None:
        """Write it at a place, by default to the right of and halfway above and below it."""
        canvas.text((x, y), self.text, colour, self.font, anchor)


@cache
def default_font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font that Pillow brings along."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise InputError("this Pillow cannot draw letters, it was built without FreeType; install it by pip.")
    return font


@cache
def _installed(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(name, size)
    except Exception:  # missing, or damaged: FreeType's errors are of several kinds
        return None


@lru_cache(maxsize=2**14)
def _has(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    if not letter.isprintable():
        return False
    if letter == " ":
        return True
    return _drawn(font, letter) != _drawn(font, _NO_LETTER)


@lru_cache(maxsize=2**10)
def _drawn(font: ImageFont.FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
