"""IMAGE → ESCAPE SEQUENCES: images in the terminal, by the protocols of kitty and iTerm2, and as sixels."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

PROTOCOLS = ("kitty", "iterm", "sixel")

_CHUNK = 4096  # maximum of base64 in one sequence of kitty's


def terminal_protocol(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the protocol of the terminal, as far as the environment tells it."""
    if "TMUX" in environment or environment.get("TERM", "").startswith("screen"):
        return None  # tmux and screen pass no images through
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "").lower()
    if "kitty" in term or "KITTY_WINDOW_ID" in environment or "ghostty" in (term + program):
        return "kitty"
    if program in ("iterm.app", "wezterm", "mintty") or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    if term.startswith(("foot", "mlterm", "contour")) or "sixel" in term:
        return "sixel"
    return None


def drawn(image: Image.Image, protocol: str) -> str:
    """Return the characters that make a terminal show an image.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB.
    protocol : {"kitty", "iterm", "sixel"}
        https://sw.kovidgoyal.net/kitty/graphics-protocol/, https://iterm2.com/documentation-images.html, and chapter 14
        of the VT330/VT340 Programmer Reference Manual.
    """
    if protocol == "sixel":
        return _sixels(image)
    file = BytesIO()
    image.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode("ascii")
    if protocol == "iterm":
        return f"\033]1337;File=inline=1;size={len(file.getvalue())};preserveAspectRatio=1:{data}\a"
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    pieces = []
    for number, chunk in enumerate(chunks):
        first = "a=T,f=100,q=2," if number == 0 else ""
        pieces.append(f"\033_G{first}m={int(number < len(chunks) - 1)};{chunk}\033\\")
    return "".join(pieces)


def _sixels(image: Image.Image) -> str:
    """Encode bands of six rows, and in each one color after another."""
    paletted = image.convert("RGB").quantize(255)
    palette = np.array(paletted.getpalette() or [], np.int64).reshape(-1, 3)
    pixels = np.asarray(paletted)
    height, width = pixels.shape
    pieces = [f'\033Pq"1;1;{width};{height}']
    for number in np.unique(pixels).tolist():
        red, green, blue = (palette[number] * 100 + 127) // 255
        pieces.append(f"#{number};2;{red};{green};{blue}")
    bits = (1 << np.arange(6))[:, np.newaxis]
    for top in range(0, height, 6):
        band = pixels[top : top + 6]
        for number in np.unique(band).tolist():
            columns = ((band == number) * bits[: len(band)]).sum(axis=0) + 63
            pieces.append(f"#{number}{_run_lengths(columns)}$")
        pieces.append("-")
    return "".join(pieces) + "\033\\"


def _run_lengths(columns: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    ends = np.flatnonzero(np.diff(columns, append=-1)) + 1
    lengths = np.diff(ends, prepend=0)
    return "".join(
        f"!{length}{chr(columns[end - 1])}" if length > 3 else chr(columns[end - 1]) * length
        for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
    )
