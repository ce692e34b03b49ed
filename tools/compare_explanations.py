"""Measure how well heat maps locate things: two drawings in an image, the text of one, and where the heat is.

python compare_explanations.py [--model tiny] [--activation A] [--drawings FILE.npy] [--pairs 100] [--seed 7]

Without --drawings: the held-out Noto emoji of tests/data, which `tiny` has not seen. FILE.npy has uint8 (n, 64, 64, 4),
and FILE.json beside it a list of {"cap": caption}. Every method gets the same pictures:

explain   the sliding windows of `numpyclip.tasks.explanations`, 202 embeddings
hide      those that hide, alone, 81; show: those that show, alone, 121
rise      202 random masks of RISE (Petsiuk et al., 2018), of a grid of 3 cells, each shown with probability 0.2, which
          are the best of those tried: how the score goes with what is shown at a place, by least squares

half    share of texts whose heat is higher in the half with its drawing, of two side by side
right   the same for two drawings of any size at any place, by the mean heat in their squares
top     share of texts whose hottest place is within its drawing's square
auc     chance that a pixel in the square is hotter than one outside
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import numpyclip
from numpyclip import CLIP
from numpyclip.tasks import explanations as windows

SIDE, GRID = 64, 8
HELD_OUT = Path(__file__).parents[1] / "tests" / "data" / "noto_heldout.npz"


def drawings(path: Path | None) -> tuple[list[Image.Image], list[str]]:
    if path is None:
        with np.load(HELD_OUT) as data:
            pixels, captions = data["images"], [str(caption) for caption in data["captions"]]
    else:
        pixels = np.load(path, mmap_mode="r")
        captions = [item["cap"] for item in json.loads(path.with_suffix(".json").read_text("utf-8"))]
    white = Image.new("RGBA", (SIDE, SIDE), "white")
    return [Image.alpha_composite(white, Image.fromarray(rgba)).convert("RGB") for rgba in pixels], captions


def side_by_side(rng: np.random.Generator) -> list[tuple[int, int, int]]:
    return [(0, SIDE // 4, SIDE // 2), (SIDE // 2, SIDE // 4, SIDE // 2)]


def anywhere(rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Two squares, (x, y, side), that do not touch each other."""
    while True:
        side = int(rng.integers(20, 34))
        (x, y), (u, v) = rng.integers(0, SIDE - side + 1, (2, 2)).tolist()
        if max(abs(x - u), abs(y - v)) >= side:
            return [(x, y, side), (u, v, side)]


def composed(pair: list[Image.Image], squares: list[tuple[int, int, int]]) -> np.ndarray:
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    for drawing, (x, y, side) in zip(pair, squares, strict=True):
        picture.paste(drawing.resize((side, side), Image.Resampling.BICUBIC), (x, y))
    return np.asarray(picture)


def heats(model: CLIP, picture: np.ndarray, texts: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """Heat by every method: a picture (y, x, 3), texts (n, e), masks of RISE (m, y, x) -> (n, y, x) each."""

    def cosines(pictures: list[np.ndarray]) -> np.ndarray:
        return model.embed_pixels(pictures) @ texts.T

    def drawn(scores: np.ndarray, marked: np.ndarray) -> np.ndarray:
        cells = windows._mean_by_cell(scores, marked)
        return windows._in_image(cells, (0, 0, SIDE, SIDE), (SIDE, SIDE))

    hidden, shown = windows._windows(GRID, windows._HIDDEN), windows._windows(GRID, windows._SHOWN)
    hide = drawn(-cosines([windows._masked(picture, ~cells) for cells in hidden]), hidden)
    show = drawn(cosines([windows._masked(picture, cells) for cells in shown]), shown)
    mean = picture.mean(axis=(0, 1))
    masked = np.rint(mean + (picture - mean) * masks[..., np.newaxis]).astype(np.uint8)
    centred = masks - masks.mean(axis=0)
    rise = np.tensordot(cosines(list(masked)).T, centred, axes=1) / (centred**2).sum(axis=0)
    return {"explain": hide + show, "hide": hide, "show": show, "rise": rise}


def rise_masks(count: int, rng: np.random.Generator, grid: int = 3, share: float = 0.2) -> np.ndarray:
    masks = np.empty((count, SIDE, SIDE), np.float32)
    for mask in masks:
        rows, columns = (
            windows._weights(grid + 2, -SIDE / grid * shift, SIDE / grid * (grid + 2 - shift), SIDE)
            for shift in rng.uniform(0.5, 1.5, 2)
        )
        mask[:] = rows @ (rng.random((grid + 2, grid + 2)) < share).astype(np.float32) @ columns.T
    return masks


def measures(heat: np.ndarray, squares: list[tuple[int, int, int]], target: int) -> dict[str, float]:
    inside = []
    for x, y, side in squares:
        within = np.zeros((SIDE, SIDE), bool)
        within[y : y + side, x : x + side] = True
        inside.append(within)
    own, other = inside[target], inside[1 - target]
    left, right = heat[:, : SIDE // 2].mean(), heat[:, SIDE // 2 :].mean()
    ranks = heat.ravel().argsort().argsort()[own.ravel()]
    count = own.sum()
    return {
        "half": float((left > right) == (target == 0)),
        "right": float(heat[own].mean() > heat[other].mean()),
        "top": float(own.ravel()[heat.argmax()]),
        "auc": float((ranks.sum() - count * (count - 1) / 2) / count / (heat.size - count)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--activation")
    parser.add_argument("--drawings", type=Path)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    model, _ = numpyclip.load(arguments.model, activation=arguments.activation)
    images, captions = drawings(arguments.drawings)
    embedded = model.embed_texts(captions)
    for layout, shown in ((side_by_side, ("half",)), (anywhere, ("right", "top", "auc"))):
        rng = np.random.default_rng(arguments.seed)
        masks = rise_masks(202, np.random.default_rng(arguments.seed))
        found: dict[str, list[dict[str, float]]] = {}
        for _ in range(arguments.pairs):
            pair = rng.choice(len(images), 2, replace=False).tolist()
            squares = layout(rng)
            picture = composed([images[i] for i in pair], squares)
            for name, maps in heats(model, picture, embedded[pair], masks).items():
                rows = [measures(heat, squares, target) for target, heat in enumerate(maps)]
                found.setdefault(name, []).extend(rows)
        for name, rows in found.items():
            figures = (f"{key} {np.mean([row[key] for row in rows]):.3f}" for key in shown)
            print(f"{layout.__name__:12} {name:8}", *figures, flush=True)


if __name__ == "__main__":
    main()
