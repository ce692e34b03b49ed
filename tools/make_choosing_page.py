"""Write the tables and the plot of docs/guides/choosing.md: the best published model of each architecture.

From src/numpyclip/data alone (open_clip.json, speeds.json), so it needs NumPyCLIP alone:

    python tools/make_choosing_page.py
"""

import math
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path

from PIL import Image, ImageDraw

from numpyclip.cli.published_models import FACTS, RESEARCH_ONLY, Fact, Published, facts, published_models
from numpyclip.viz.fonts import Line

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGE, PICTURE = DOCS / "guides" / "choosing.md", DOCS / "pictures" / "accuracy.png"
BEGIN, END = "<!-- models: made by tools/make_choosing_page.py -->", "<!-- end -->"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 640, 60, 30, 30, 60  # of the plot, in pixels
LEAST, MOST = 55, 90  # percent; less accurate ones are left out
GRID, TEXT, FREE, BOUND = "#e4e4e4", "#333333", "#8c0c6e", "#999999"
LETTERS = 13
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """The most accurate model of an architecture."""

    name: str
    rate: float
    top1: float
    is_free: bool


def models() -> list[Published]:
    """Choose the best model of each architecture: on ImageNet, or on XM3600 where texts are of many languages."""
    groups = groupby(published_models(), key=lambda published: published[0].name)
    return [max(group, key=accuracy) for _, group in groups]


def accuracy(published: Published) -> float:
    known, model = published
    return (model.xm3600 if known.multilingual else model.top1) or 0


# --- tables ---------------------------------------------------------------------------------------------------------


def row(published: Published, columns: list[Fact]) -> list[str]:
    """Write the facts of a model: its two names, numbers, and its license."""
    found = facts(*published)
    mark = "*" if found["speed_extrapolated"] else ""
    cells = ["" if found[fact.key] is None else format(found[fact.key], fact.how) for fact in columns]
    names, licence = f"`{found['model']}`, `{found['pretrained']}`", found["licence"]
    return [names, *cells[:-1], cells[-1] + mark, "research" if licence == RESEARCH_ONLY else str(licence)]


def table(multilingual: bool) -> str:
    """Write the table of the models for English, or of those for many languages."""
    columns = [fact for fact in FACTS if fact.heading and (multilingual or fact.heading != "XM3600")]
    headings = ["`--model`, `--pretrained`", *(fact.heading for fact in columns), "license"]
    rows = [headings, ["---", *["---:"] * len(columns), "---"]]
    rows += [row(published, columns) for published in models() if published[0].multilingual == multilingual]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def tables() -> str:
    """Write both tables, with a heading each."""
    return f"### English\n\n{table(False)}\n\n### Many languages\n\n{table(True)}"


def divide(text: str) -> tuple[str, str, str]:
    """Divide the page at the tables: what is before, in and behind it."""
    before, _, rest = text.partition(BEGIN)
    inside, _, behind = rest.partition(END)
    return before + BEGIN, inside.strip(), END + behind


# --- plot -----------------------------------------------------------------------------------------------------------


def points() -> list[Point]:
    """Place each architecture whose speed is measured by its best model."""
    found = [
        Point(known.name, known.speed.images, model.top1 or 0, model.licence not in (RESEARCH_ONLY, "CC-BY-NC"))
        for known, model in models()
        if known.speed and (model.top1 or 0) > LEAST
    ]
    return sorted(found, key=lambda point: (-point.rate, -point.top1))


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

    def place(rate: float, top1: float) -> tuple[float, float]:
        across = math.log(rate / low) / math.log(high / low)
        up = (top1 - LEAST) / (MOST - LEAST)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    for top1 in range(LEAST, MOST + 1, 5):
        (x, y), (end, _) = place(low, top1), place(high, top1)
        canvas.line((x, y, end, y), GRID)
        Line.of(f"{top1} %", LETTERS).draw(canvas, x - 8, y, TEXT, "rm")
    for rate in (rate for power in range(-4, 1) for rate in (10**power, 2 * 10**power, 5 * 10**power)):
        if low <= rate <= high:
            (x, y), (_, end) = place(rate, LEAST), place(rate, MOST)
            canvas.line((x, y, x, end), GRID)
            Line.of(f"{rate:g}", LETTERS).draw(canvas, x, y + 14, TEXT, "mm")
    Line.of("images per second, over those of ViT-B/32", LETTERS).draw(canvas, WIDTH / 2, HEIGHT - 18, TEXT, "mm")
    Line.of("zero-shot accuracy on ImageNet", LETTERS).draw(canvas, LEFT, 14, TEXT)
    places = [place(point.rate, point.top1) for point in found]
    for point, (x, y) in zip(found, places, strict=True):
        canvas.ellipse((x - 4, y - 4, x + 4, y + 4), FREE if point.is_free else BOUND)
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    for point in frontier(found):
        write_name(canvas, point.name, place(point.rate, point.top1), taken)
    Line.of("grey: not for commercial use", LETTERS).draw(canvas, WIDTH - RIGHT, 14, BOUND, "rm")
    return plot


def write_name(canvas: ImageDraw.ImageDraw, name: str, at: tuple[float, float], taken: list[Box]) -> None:
    """Write a name beside its point, where it covers nothing; leave it out if there is no such place."""
    line, (x, y) = Line.of(name, LETTERS), at
    for down, left in product((-9, 0, 9), (x + 8, x - 8 - line.width, x - line.width / 2)):
        box = (left, y + down - 6, left + line.width, y + down + 6)
        inside = box[0] > LEFT and box[2] < WIDTH - RIGHT
        if inside and not any(b[0] < box[2] and box[0] < b[2] and b[1] < box[3] and box[1] < b[3] for b in taken):
            line.draw(canvas, left, y + down, TEXT)
            taken.append(box)
            return


def main() -> None:
    """Replace the tables, and draw the plot."""
    before, _, behind = divide(PAGE.read_text("utf-8"))
    PAGE.write_text("\n\n".join([before, tables(), behind]), "utf-8")
    found = points()
    draw(found).save(PICTURE, optimize=True)
    print(f"{PAGE}: {len(models())} architectures, of which {len(found)} are in {PICTURE}")


if __name__ == "__main__":
    main()
