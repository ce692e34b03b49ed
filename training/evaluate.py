"""Print how many texts find their picture, with the model in the package, or another file, and NumPyCLIP itself.

    python evaluate.py DATA [FILE.npz]

Needs NumPyCLIP, and the data of build.py; no PyTorch.
"""

import argparse
from pathlib import Path

import numpy as np

import numpyclip
from sources import sets
from splits import ranks, seen_captions, tests

TITLES = {
    "twemoji": "Twemoji, vendor held out",
    "openmoji": "OpenMoji, vendor held out, in outlines",
    "noto_held": "Noto, concepts held out",
    "twemoji_held": "Twemoji, vendor and concepts held out",
    "art4apps": "Art4Apps, drawings of another style",
    "tuxpaint": "Tux Paint, photos of objects",
}
GOALS = {"twemoji": (65, 88), "openmoji": (35, 60), "noto_held": (45, 70), "art4apps": (15, 35), "tuxpaint": (10, 30)}


def on_white(tiles: np.ndarray) -> np.ndarray:
    """Straight RGBA (n, 64, 64, 4) → RGB."""
    alpha = tiles[..., 3:].astype(np.float32) / 255
    return np.rint(tiles[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("model", nargs="?", default="tiny", metavar="FILE.npz")
    given = parser.parse_args()
    model, _ = numpyclip.load(given.model, activation=None if given.model == "tiny" else "quick_gelu")
    seen = seen_captions(given.data, [drawn.name for drawn in sets().values() if drawn.group == "emoji"])
    print("| text to image | among | R@1 | R@5 | R@10 | goal R@1 / R@5 |\n|---|---|---|---|---|---|")
    for name, test in tests(given.data, seen):
        similarity = model.embed_texts(test.captions) @ model.embed_images(on_white(test.tiles)).T
        found = ranks(similarity, test.captions)
        shares = " | ".join(f"{100 * (found < k).mean():.1f}" for k in (1, 5, 10))
        goal = "{} / {}".format(*GOALS[name]) if name in GOALS else ""
        print(f"| {TITLES[name]} | {len(found):,} | {shares} | {goal} |", flush=True)


if __name__ == "__main__":
    main()
