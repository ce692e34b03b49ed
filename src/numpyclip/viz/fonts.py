"""TEXT → LINE: the installed font that has most of its characters, and a text that fits a width.

Pillow's own font has little but Latin letters. Characters that no installed font has are written as escape sequences,
so that names stay distinguishable; so are invisible ones and those that change the writing direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from numpyclip.errors import InputError

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

# Pillow finds them by name in the system's folders; earlier ones are preferred.
_FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial Unicode.ttf", "LiberationSans-Regular.ttf"),
    *("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "msyh.ttc"),
    *("msgothic.ttc", "malgun.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "FreeSans.ttf", "unifont.ttf"),
)
_NO_LETTER = "\U0010ffff"  # never assigned, so drawn as a missing glyph by every font


@dataclass(frozen=True)
class Line:
    """A text on one line, and a font that has its characters."""

    text: str
    font: ImageFont.FreeTypeFont

    @classmethod
    def fitted(cls, text: str, size: int, width: float) -> Line:
        """Choose a font of a size in pixels, and cut the middle out of a text that is wider than `width`."""
        line = cls.of(text, size)
        if line.width <= width:
            return line
        shortest, longest = 0, len(line.text) - 1  # characters to keep
        while shortest < longest:
            kept = (shortest + longest + 1) // 2
            shortest, longest = (kept, longest) if line.cut(kept).width <= width else (shortest, kept - 1)
        return line.cut(shortest)

    @classmethod
    def of(cls, text: str, size: int) -> Line:
        """Choose a font of a size in pixels."""
        letters = " ".join(text.split())
        fonts = [default_font(size), *filter(None, (_installed(name, size) for name in _FONTS))]
        font = min(fonts, key=lambda font: sum(not _has(font, letter) for letter in set(letters)))
        return cls("".join(letter if _has(font, letter) else _escaped(letter) for letter in letters), font)

    def cut(self, kept: int) -> Line:
        """Keep so many characters, half of them at the end."""
        end = len(self.text) - kept // 2
        return Line(f"{self.text[: kept - kept // 2]}...{self.text[end:]}", self.font)

    @property
    def width(self) -> float:
        """In pixels."""
        return self.font.getlength(self.text)

    def draw(self, canvas: ImageDraw.ImageDraw, x: float, y: float, colour: str, anchor: str = "lm") -> None:
        """Draw the text at a point, which is by default its left end, vertically centered."""
        canvas.text((x, y), self.text, colour, self.font, anchor)


@cache
def default_font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise InputError("this Pillow was built without FreeType and cannot draw text; install it with pip.")
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
