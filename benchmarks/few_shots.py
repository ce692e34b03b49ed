"""How accurately `tiny` classifies drawings of one vendor after a few examples of others, by examples per class.

    python benchmarks/few_shots.py FOLDER

FOLDER holds, for each vendor of emoji, VENDOR.npy, RGBA drawings (n, 64, 64, 4) of uint8, and VENDOR.json, a list of
{"cap": name} in the same order. A shot is one drawing of another vendor than the tested one. In each of ten rounds
classes are drawn at random, of all names that every vendor draws, and vendors for the shots, the same for all methods.
Nothing of the vendor that is tested takes part in learning, nor in choosing settings. The vendors are those that draw
most names in common.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import numpyclip
from numpyclip import CLIP
from numpyclip.tasks import Examples, Recipe, learn

TESTED = "twemoji"
OTHERS = (
    *("openmoji", "fluent-3d", "noto", "fluent-emoji-high-contrast", "fluent-emoji-flat", "fluent-emoji"),
    *("emojione", "emojione-monotone", "noto-v1"),
)
TEMPLATE = "{}"  # as the captions that tiny learned from
SHOTS = (1, 2, 4, 8)
RECIPES = (Recipe("mean"), Recipe("tip"), Recipe(), Recipe(settings={"c": 31.6}))


def drawings(folder: Path, vendor: str) -> dict[str, NDArray[np.uint8]]:
    """Read the drawings of a vendor by name, on white."""
    names = [entry["cap"] for entry in json.loads((folder / f"{vendor}.json").read_text("utf-8"))]
    rgba = np.load(folder / f"{vendor}.npy", mmap_mode="r")
    found = {}
    for name, drawing in zip(names, rgba, strict=True):
        alpha = drawing[..., 3:] / 255
        found[name] = (alpha * drawing[..., :3] + 255 * (1 - alpha)).round().astype(np.uint8)
    return found


def accuracies(model: CLIP, shown: dict[str, Any], names: list[str], rng: np.random.Generator) -> NDArray[np.float64]:
    """Measure one round: accuracy of zero-shot and each recipe (1 + recipes) for each number of shots."""
    texts = model.embed_texts([TEMPLATE.format(name) for name in names])
    tested = np.stack([shown[TESTED][name] for name in names])
    zero_shot = (model.logits(tested, texts).argmax(axis=1) == np.arange(len(names))).mean()
    vendors = rng.permutation(OTHERS)
    found = []
    for count in SHOTS:
        embeddings = np.stack([shown[vendor][name] for vendor in vendors[:count] for name in names])
        examples = Examples.of(embeddings, names * count, model.fingerprint).with_texts(model, TEMPLATE)
        right = [examples.classes.index(name) for name in names]
        said = [learn(examples, recipe).probabilities(tested).argmax(axis=1) for recipe in RECIPES]
        found.append([zero_shot, *((answers == right).mean() for answers in said)])
    return np.array(found)


def main() -> None:
    """Measure at 20 and at 100 classes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    model, _ = numpyclip.load("tiny")
    pixels = {vendor: drawings(arguments.folder, vendor) for vendor in (TESTED, *OTHERS)}
    common = sorted(set.intersection(*map(set, pixels.values())))
    shown = {
        vendor: dict(zip(common, model.embed_images([found[name] for name in common]), strict=True))
        for vendor, found in pixels.items()
    }
    for count in (20, 100):
        rounds = [
            accuracies(model, shown, np.random.default_rng(seed).choice(common, count, replace=False).tolist(), rng)
            for seed in range(arguments.rounds)
            for rng in [np.random.default_rng(1000 + seed)]
        ]
        print(f"\n{count} of {len(common)} names, {len(rounds)} rounds: mean ± standard error\n")
        print("| shots | zero-shot | class means | Tip-Adapter | linear | C = 31.6 |\n|---|---|---|---|---|---|")
        means, errors = np.mean(rounds, axis=0), np.std(rounds, axis=0, ddof=1) / np.sqrt(len(rounds))
        for shots, mean, error in zip(SHOTS, means, errors, strict=True):
            cells = " | ".join(f"{100 * m:.1f} ± {100 * e:.1f}" for m, e in zip(mean, error, strict=True))
            print(f"| {shots} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
