"""Write the table and the plot of docs/choosing.md: the best published model of each architecture that can be run here.

From src/numpyclip/data alone (open_clip.json, speeds.json), so it needs NumPyCLIP alone:

    python tools/make_choosing_page.py

Speeds, memory and the plot are left out until benchmarks/architectures.py has measured all architectures.
"""

import json
import math
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw

from numpyclip.cli.published_models import FACTS, RESEARCH_ONLY, Fact, Published, facts, published_models
from numpyclip.viz.fonts import Line

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SPEEDS = ROOT / "src" / "numpyclip" / "data" / "speeds.json"
PAGE, PICTURE = DOCS / "choosing.md", DOCS / "pictures" / "accuracy.png"
END = "<!-- end -->"
MEASURED = ("relative_images_per_second", "relative_texts_per_second", "memory_megabytes")
SPEED = """\
## Speed and memory

![Accuracy against speed](pictures/accuracy.png)

- *images/s*, *texts/s*: NumPyCLIP's, over those of ViT-B/32 in the same run, with random weights of the true sizes
  (`python benchmarks/architectures.py`); \\* where only some blocks were measured and the rest was extrapolated.
- *Memory*: of weights in float32, the interpreter and a batch of eight images; about half with `low_memory=True`."""
NO_SPEED = """\
Speed and memory are not in the table: not all architectures are measured yet (`python benchmarks/architectures.py`)."""

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


def is_measured() -> bool:
    """Tell whether the file of speeds says that it has all architectures."""
    return bool(json.loads(SPEEDS.read_text())["complete"])


def models() -> list[Published]:
    """Choose the best model of each architecture: on ImageNet, or on XM3600 where texts are of many languages."""
    groups = groupby(published_models(), key=lambda published: published[0].name)
    return [max(group, key=accuracy) for _, group in groups]


def accuracy(published: Published) -> float:
    known, model = published
    return (model.xm3600 if known.multilingual else model.top1) or 0


# --- table ----------------------------------------------------------------------------------------------------------


def columns() -> list[Fact]:
    """Choose the columns: those of speed only if all are measured."""
    return [fact for fact in FACTS if fact.heading and (fact.key not in MEASURED or is_measured())]


def cell(fact: Fact, found: dict[str, object]) -> str:
    """Write one fact."""
    value = found[fact.key]
    if value is None:
        return ""
    if isinstance(value, bool):
        return "many" if value else "English"
    if isinstance(value, str):
        return f"`{value}`" if fact.key in ("model", "pretrained") else value
    mark = "*" if found["speed_extrapolated"] and fact.key in MEASURED[:2] else ""
    return format(value, fact.how) + mark


def table() -> str:
    """Write the whole table."""
    chosen = columns()
    rows = [[fact.heading for fact in chosen], ["---"] * len(chosen)]
    rows += [[cell(fact, facts(*published)) for fact in chosen] for published in models()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def block(text: str, name: str) -> tuple[str, str, str]:
    """Divide a page at a block that is made here: what is before, in and behind it."""
    begin = f"<!-- {name}: made by tools/make_choosing_page.py -->"
    before, _, rest = text.partition(begin)
    inside, _, behind = rest.partition(END)
    return before + begin, inside.strip(), END + behind


def blocks() -> dict[str, str]:
    """Write what is made here, by the names of its places."""
    return {"speed": SPEED if is_measured() else NO_SPEED, "models": table()}


# --- plot -----------------------------------------------------------------------------------------------------------


def points() -> list[Point]:
    """Place each architecture whose speed is measured by its best model."""
    found = [
        Point(known.name, known.speed.images, model.top1, model.licence not in (RESEARCH_ONLY, "CC-BY-NC"))
        for known, model in models()
        if known.speed and known.speed.images and model.top1
    ]
    return sorted(found, key=lambda point: -point.rate)


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
    rates = [point.rate for point in found]
    low, high = 10 ** math.floor(math.log10(min(rates))), max(2.0, 1.2 * max(rates))
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
    """Replace the blocks, and draw the plot."""
    text = PAGE.read_text("utf-8")
    for name, content in blocks().items():
        before, _, behind = block(text, name)
        text = "\n\n".join([before, content, behind])
    PAGE.write_text(text, "utf-8")
    found = points() if is_measured() else []
    if found:
        draw(found).save(PICTURE, optimize=True)
    print(f"{PAGE}: {len(models())} architectures, of which {len(found)} are in {PICTURE}")


if __name__ == "__main__":
    main()
