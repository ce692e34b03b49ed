"""Measure what views of images find that the crop does not, and what they cost.

    python benchmarks/views.py             # the embedded model, on the held-out drawings of tests/data
    python benchmarks/views.py packages/   # and on long photographs, which benchmarks/photographs.py has downloaded

Drawings: of 164, a quarter each stand alone in a square; at an end of a canvas of 2 : 1, of 3 : 1 and of 6 : 1, every
other one upright; once more, those in squares without the others. Each is asked for by its caption. Photographs: each
is asked for by squares of 0.8 of its height from its two ends, saved as JPEG, as a detail that somebody has of it. A
picture counts by its best view.

Cost is CPU time in this process, which other processes hardly change, of JPEG files of 12 megapixels, in files until
embeddings, as `numpyclip index` decodes them. It is that of the embedded model, of which decoding is nearly all: with
a large model the number of embeddings counts, which is printed, too.
"""

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import numpyclip
from numpyclip.images.views import View, views_of

DRAWINGS = Path(__file__).parents[1] / "tests" / "data" / "noto_heldout.npz"
SHAPES = (1, 2, 3, 6)
CHOICES: tuple[tuple[View, ...], ...] = (
    ("crop",),
    ("pad",),
    ("squash",),
    ("crop", "pad"),
    ("crop", "squash"),
    ("crop", "tiles"),
    ("crop", "pad", "squash", "tiles"),
)
LONG = 1.3
FILES = 8  # of 12 megapixels
Of = list[dict[str, np.ndarray]]  # embeddings of views, of each picture


def canvases() -> tuple[list[Image.Image], list[str]]:
    with np.load(DRAWINGS) as data:
        drawings, captions = data["images"], data["captions"].tolist()
    made = []
    for number, drawing in enumerate(drawings):
        shape, end = SHAPES[number % 4], number // 4 % 2
        side = len(drawing)
        is_upright, start = number // 8 % 2, end * side * (shape - 1)
        canvas = Image.new("RGB", (side, side * shape) if is_upright else (side * shape, side), "white")
        picture = Image.fromarray(drawing)
        canvas.paste(picture, (0, start) if is_upright else (start, 0), picture)
        made.append(canvas)
    return made, captions


def chosen(embedded: Of, views: tuple[View, ...], model: numpyclip.CLIP, sizes: list[tuple[int, int]]) -> Of:
    """Take the embeddings of some views from those of all."""
    return [
        {view.name: each[view.name] for view in views_of(model.preprocess, views, *size)}
        for each, size in zip(embedded, sizes, strict=True)
    ]


def ranks(embedded: Of, queries: np.ndarray, targets: list[int]) -> np.ndarray:
    """Count for each query the pictures that are nearer than its own."""
    best = np.stack([np.max(queries @ np.stack([*views.values()]).T, axis=1) for views in embedded], axis=1)
    own = best[np.arange(len(queries)), targets]
    nearer: np.ndarray = (best > own[:, np.newaxis]).sum(axis=1)
    return nearer


def report(
    title: str, model: numpyclip.CLIP, images: list[Image.Image], queries: np.ndarray, targets: list[int]
) -> None:
    sizes = [image.size for image in images]
    everything = [dict(record.views) for record in model.iter_embeddings(images, views=CHOICES[-1])]
    groups: dict[str, list[int]] = {"all": list(range(len(targets)))}
    for place, target in enumerate(targets):
        ratio = max(sizes[target]) / min(sizes[target])
        groups.setdefault("square" if ratio <= LONG else "up to 2 : 1" if ratio <= 2 else "longer", []).append(place)
    print(f"\n{title}: R@1 / R@5 in %, of {len(images)} pictures and {len(targets)} queries\n")
    print("| views | embeddings a picture |", " | ".join(f"{name} ({len(rows)})" for name, rows in groups.items()), "|")
    print("|---|---|" + "---|" * len(groups))
    for views in CHOICES:
        some = chosen(everything, views, model, sizes)
        found = ranks(some, queries, targets)
        cells = [f"{np.mean(found[rows] == 0):.0%} / {np.mean(found[rows] < 5):.0%}" for rows in groups.values()]
        print(f"| {', '.join(views)} | {np.mean([len(each) for each in some]):.2f} |", " | ".join(cells), "|")


def photographs(packages: Path) -> list[Image.Image]:
    from photographs import scenes

    found = []
    for photograph in scenes(packages):
        image = Image.open(io.BytesIO(photograph.data)).convert("RGB")
        if max(image.size) > LONG * min(image.size):
            image.thumbnail((2048, 2048))
            found.append(image)
    return found


def details(image: Image.Image) -> list[Image.Image]:
    """Cut a square from each end, smaller than a tile is, and save it as JPEG."""
    side, (width, height) = round(0.8 * min(image.size)), image.size
    boxes = [(0, 0, side, side), (width - side, height - side, width, height)]
    files = [io.BytesIO() for _ in boxes]
    for box, file in zip(boxes, files, strict=True):
        image.crop(box).save(file, "JPEG", quality=70)
    return [Image.open(file) for file in files]


def cost(model: numpyclip.CLIP) -> None:
    rng = np.random.default_rng(0)
    print("\n| CPU ms of a JPEG file of 12 megapixels | 4000 x 3000 | 6000 x 2000 |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for size in ((4000, 3000), (6000, 2000)):
            small = rng.integers(0, 256, (size[1] // 100, size[0] // 100, 3), np.uint8)
            files[size] = [f"{folder}/{size[0]}-{number}.jpg" for number in range(FILES)]
            for file in files[size]:
                Image.fromarray(small).resize(size).save(file, quality=85)
        for views in CHOICES:
            cells = []
            for paths in files.values():
                times = []
                for _ in range(3):
                    start = time.process_time()
                    model.embed_images(paths, draft=True, views=views)
                    times.append((time.process_time() - start) / FILES)
                cells.append(f"{1000 * min(times):.1f}")
            print(f"| {', '.join(views)} |", " | ".join(cells), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="?", type=Path, help="of photographs")
    parser.add_argument("--model", default="tiny")
    arguments = parser.parse_args()
    model, _ = numpyclip.load(arguments.model)
    images, captions = canvases()
    queries = model.embed_texts(captions)
    report("Drawings", model, images, queries, list(range(len(images))))
    squares = images[:: len(SHAPES)]
    report(
        "Drawings in squares, without the others", model, squares, queries[:: len(SHAPES)], list(range(len(squares)))
    )
    if arguments.packages is not None:
        images = photographs(arguments.packages)
        queries = model.embed_images(detail for image in images for detail in details(image))
        report("Photographs", model, images, queries, [row // 2 for row in range(2 * len(images))])
    cost(model)


if __name__ == "__main__":
    main()
