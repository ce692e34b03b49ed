"""Print text-to-image recall of the model in the package, or of another file, computed by NumPyCLIP itself.

    python evaluate.py DATA [FILE.npz] [--engine openvino --precision bfloat16]

And what is told of a picture of several things: their order, and number. Needs NumPyCLIP, and the data of build.py; no
PyTorch.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import numpyclip
from captions import is_one, several
from drawing import SIZE
from numpyclip import CLIP
from sources import names
from splits import Test, ranks, seen_captions, tests

TITLES = {
    "twemoji": "Twemoji, vendor held out",
    "openmoji": "OpenMoji, vendor held out, in outlines",
    "noto_held": "Noto, concepts held out",
    "twemoji_held": "Twemoji, vendor and concepts held out",
    "art4apps": "Art4Apps, drawings of another style",
    "tuxpaint": "Tux Paint, photos of objects",
}
GOALS = {"twemoji": (65, 88), "openmoji": (35, 60), "noto_held": (45, 70), "art4apps": (15, 35), "tuxpaint": (10, 30)}
_SCENES = 300
_HALF, _QUARTER = SIZE // 2, SIZE // 4
_NUMBERS = ("two", "three", "four")
_CORNERS = ((0, 0), (0, _HALF), (_HALF, 0), (_HALF, _HALF))


def on_white(tiles: np.ndarray) -> np.ndarray:
    """Straight RGBA (n, 64, 64, 4) → RGB."""
    alpha = tiles[..., 3:].astype(np.float32) / 255
    return np.rint(tiles[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def together(pictures: list[np.ndarray], places: list[tuple[int, int]]) -> np.ndarray:
    """Put pictures, at half their size, into one: (top, left)."""
    whole = np.full((SIZE, SIZE, 3), 255, np.uint8)
    for picture, (top, left) in zip(pictures, places, strict=True):
        half = picture.reshape(_HALF, 2, _HALF, 2, 3).mean(axis=(1, 3))
        whole[top : top + _HALF, left : left + _HALF] = np.rint(half)
    return whole


def scenes(test: Test) -> Iterator[tuple[str, list[tuple[np.ndarray, list[str]]]]]:
    """Make questions about drawings that stand together: pictures, and texts of which the first is true."""
    rng, pictures = random.Random(0), on_white(test.tiles)
    pairs = [rng.sample(range(len(pictures)), 2) for _ in range(_SCENES)]
    for title, places, words in (
        ("which of two is on the left", [(_QUARTER, 0), (_QUARTER, _HALF)], "{} to the left of {}"),
        ("which of two is above", [(0, _QUARTER), (_HALF, _QUARTER)], "{} above {}"),
    ):
        asked = []
        for one, other in pairs:
            captions = test.captions[one], test.captions[other]
            picture = together([pictures[one], pictures[other]], places)
            asked.append((picture, [words.format(*captions), words.format(*captions[::-1])]))
        yield title, asked
    nouns = [row for row, caption in enumerate(test.captions) if is_one(caption)]
    asked = []
    for row in rng.choices(nouns, k=_SCENES):
        noun = test.captions[row]
        texts = [f"a {noun}", *(f"{number} {several(noun)}" for number in _NUMBERS)]
        count = rng.randrange(4)
        picture = together([pictures[row]] * (count + 1), rng.sample(_CORNERS, count + 1))
        asked.append((picture, [texts[count], *(text for n, text in enumerate(texts) if n != count)]))
    yield "how many, one to four", asked


def share_right(model: CLIP, asked: list[tuple[np.ndarray, list[str]]]) -> float:
    """Return how often the first text fits best."""
    images = model.embed_images([picture for picture, _ in asked])
    texts = model.embed_texts([text for _, texts in asked for text in texts]).reshape(len(asked), -1, images.shape[1])
    return float((np.einsum("nd,ntd->nt", images, texts).argmax(axis=1) == 0).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("model", nargs="?", default="tiny", metavar="FILE.npz")
    parser.add_argument("--engine", help="as numpyclip.load takes it")
    parser.add_argument("--precision", help="as numpyclip.load takes it")
    given = parser.parse_args()
    activation = None if given.model == "tiny" else "quick_gelu"
    model, _ = numpyclip.load(given.model, activation=activation, engine=given.engine, precision=given.precision)
    seen = seen_captions(given.data, names("emoji"))
    every = dict(tests(given.data, seen))
    print("| text to image | among | R@1 | R@5 | R@10 | goal R@1 / R@5 |\n|---|---|---|---|---|---|")
    for name, test in every.items():
        similarity = model.embed_texts(test.captions) @ model.embed_images(on_white(test.tiles)).T
        found = ranks(similarity, test.captions)
        shares = " | ".join(f"{100 * (found < k).mean():.1f}" for k in (1, 5, 10))
        goal = "{} / {}".format(*GOALS[name]) if name in GOALS else ""
        print(f"| {TITLES[name]} | {len(found):,} | {shares} | {goal} |", flush=True)
    print("\n| of Twemoji's drawings, several in a picture | right | by chance |\n|---|---|---|")
    for title, asked in scenes(every["twemoji"]):
        print(f"| {title} | {100 * share_right(model, asked):.0f} | {100 // len(asked[0][1])} |", flush=True)


if __name__ == "__main__":
    main()
