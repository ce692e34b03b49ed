"""Write the table and the plot of docs/choosing.md: the published models that can be run here.

From src/numpyclip/data alone (open_clip.json, speeds.json), so it needs NumPyCLIP alone:

    python tools/make_choosing_page.py
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from numpyclip.cli.published_models import RESEARCH_ONLY
from numpyclip.families.locate import find_architecture, is_supported
from numpyclip.viz.fonts import Line
from numpyclip.weights.published import Architecture, PublishedModel, architectures

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "choosing.md", DOCS / "pictures" / "accuracy.png"
BEGIN, END = "<!-- made by tools/make_choosing_page.py -->", "<!-- end -->"
HEADER = (
    *("architecture", "tag", "px", "tokens", "languages", "million parameters", "MB", "ImageNet"),
    *("COCO images", "COCO texts", "XM3600", "images/s", "texts/s", "memory, MB", "licence"),
)

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 560, 60, 30, 30, 60  # of the plot, in pixels
GRID, TEXT, FREE, BOUND = "#e4e4e4", "#333333", "#8c0c6e", "#999999"
LETTERS = 13


@dataclass(frozen=True)
class Point:
    """The most accurate model of an architecture."""

    name: str
    rate: float
    top1: float
    is_free: bool


def models() -> Iterator[tuple[Architecture, PublishedModel]]:
    """Yield all that can be run."""
    for known in map(find_architecture, architectures()):
        yield from ((known, model) for model in known.models.values() if is_supported(known, model))


# --- table ----------------------------------------------------------------------------------------------------------


def row(known: Architecture, model: PublishedModel) -> str:
    """Write the line of one model."""
    speed = known.speed
    mark = "*" if speed and speed.extrapolated else ""
    cells = [
        f"`{known.name}`",
        f"`{model.tag}`",
        str(known.image_size),
        str(known.context_length),
        "many" if known.multilingual else "English",
        number(known.parameters, ".0f"),
        number(known.megabytes(model), "d"),
        *(number(value, ".1f") for value in (model.top1, model.coco_images, model.coco_texts, model.xm3600)),
        number(speed and speed.images, ".3g") + mark,
        number(speed and speed.texts, ".3g") + mark,
        number(speed and speed.megabytes, "d"),
        model.licence or "",
    ]
    return "| " + " | ".join(cells) + " |"


def number(value: float | None, how: str) -> str:
    return "" if value is None else format(value, how)


def table() -> str:
    """Write the whole table."""
    lines = [row(known, model) for known, model in models()]
    return "\n".join(["| " + " | ".join(HEADER) + " |", "|---" * len(HEADER) + "|", *lines])


# --- plot -----------------------------------------------------------------------------------------------------------


def points() -> list[Point]:
    """Choose the most accurate model of each architecture whose speed is measured."""
    best: dict[str, Point] = {}
    for known, model in models():
        if known.speed and known.speed.images and model.top1:
            is_free = model.licence not in (RESEARCH_ONLY, "CC-BY-NC")
            point = Point(known.name, known.speed.images, model.top1, is_free)
            if known.name not in best or best[known.name].top1 < point.top1:
                best[known.name] = point
    return sorted(best.values(), key=lambda point: -point.rate)


def frontier(found: list[Point]) -> list[Point]:
    """Choose those that no other one exceeds in both speed and accuracy."""
    chosen: list[Point] = []
    for point in found:
        if not chosen or point.top1 > chosen[-1].top1:
            chosen.append(point)
    return chosen


def draw(found: list[Point]) -> Image.Image:
    """Draw accuracy over speed, which is logarithmic."""
    plot = Image.new("RGB", (WIDTH, HEIGHT), "white")
    canvas = ImageDraw.Draw(plot)
    low, high = 10 ** math.floor(math.log10(min(point.rate for point in found))), 2.0
    bottom, top = 5 * math.floor(min(point.top1 for point in found) / 5), 90

    def place(rate: float, top1: float) -> tuple[float, float]:
        across = math.log(rate / low) / math.log(high / low)
        up = (top1 - bottom) / (top - bottom)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    for top1 in range(bottom, top + 1, 5):
        (x, y), (end, _) = place(low, top1), place(high, top1)
        canvas.line((x, y, end, y), GRID)
        Line.of(f"{top1} %", LETTERS).draw(canvas, x - 8, y, TEXT, "rm")
    for rate in (rate for power in range(-4, 1) for rate in (10**power, 2 * 10**power, 5 * 10**power)):
        if low <= rate <= high:
            (x, y), (_, end) = place(rate, bottom), place(rate, top)
            canvas.line((x, y, x, end), GRID)
            Line.of(f"{rate:g}", LETTERS).draw(canvas, x, y + 14, TEXT, "mm")
    Line.of("images per second, over those of ViT-B/32", LETTERS).draw(canvas, WIDTH / 2, HEIGHT - 18, TEXT, "mm")
    Line.of("zero-shot accuracy on ImageNet", LETTERS).draw(canvas, LEFT, 14, TEXT)
    for point in found:
        x, y = place(point.rate, point.top1)
        canvas.ellipse((x - 4, y - 4, x + 4, y + 4), FREE if point.is_free else BOUND)
    for point in frontier(found):
        x, y = place(point.rate, point.top1)
        is_left = x > WIDTH - 200
        Line.of(point.name, LETTERS).draw(canvas, x - 8 if is_left else x + 8, y - 9, TEXT, "rm" if is_left else "lm")
    Line.of("grey: not for commercial use", LETTERS).draw(canvas, WIDTH - RIGHT, 14, BOUND, "rm")
    return plot


def main() -> None:
    """Replace the table, and draw the plot."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(before + "\n".join([BEGIN, table(), END]) + rest.partition(END)[2], "utf-8")
    if found := points():
        draw(found).save(PICTURE, optimize=True)
    print(f"{PAGE}, {PICTURE}: {len(found)} architectures are measured")


if __name__ == "__main__":
    main()
