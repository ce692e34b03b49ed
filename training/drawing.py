"""One drawing, and how it becomes a tile of 64 x 64 pixels."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

SIZE = 64
_BORDER = 2  # pixels around a drawing
_RENDERED = 128  # pixels of the longer side that vectors are drawn at, before they are scaled down
_VISIBLE = 8  # alpha above which a pixel belongs to the drawing

Image.MAX_IMAGE_PIXELS = None  # packages that are checked by their SHA-256


@dataclass(frozen=True)
class Drawing:
    """What a set says of a drawing. `concept` tells drawings of one thing by several hands: ``emoji:1F408``."""

    name: str
    caption: str
    concept: str
    picture: Callable[[], Image.Image] = field(repr=False)
    tags: tuple[str, ...] = ()


def tile(picture: Image.Image) -> np.ndarray | None:
    """Crop to what is drawn, fit it in: uint8 (64, 64, 4), straight RGBA. None if nothing is drawn."""
    rgba = picture.convert("RGBA")
    box = rgba.getchannel("A").point(lambda alpha: 255 if alpha > _VISIBLE else 0).getbbox()
    if not box:
        return None
    rgba = rgba.crop(box)
    scale = (SIZE - 2 * _BORDER) / max(rgba.size)
    width, height = (max(1, round(side * scale)) for side in rgba.size)
    rgba = rgba.resize((width, height), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (SIZE, SIZE))
    square.paste(rgba, ((SIZE - width) // 2, (SIZE - height) // 2))
    return np.asarray(square)


def rendered(svg: str, is_wide: bool = True) -> Image.Image:
    """Draw a vector picture; `is_wide` tells which side is the longer one."""
    import resvg_py  # which training does without

    side = {"width": _RENDERED} if is_wide else {"height": _RENDERED}
    return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True, **side))))


def as_words(name: str) -> str:
    """Turn a name of a file or an icon into words: ``hot-air-balloon_2`` → ``hot air balloon``."""
    name = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    name = re.sub(r"[-_./]+", " ", name)
    name = re.sub(r"(?<=[a-zA-Z]{3})\s+0?\d+$", "", name.strip())
    return re.sub(r"\s+", " ", name).strip().lower()
