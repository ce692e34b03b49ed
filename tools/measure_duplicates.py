"""Count which copies `find_duplicates` finds, and which different drawings it mistakes for copies.

    python tools/measure_duplicates.py DRAWINGS.npy

DRAWINGS.npy holds pictures (n, y, x, 4) of uint8. 200 of them are changed in ways that keep the picture, and each pair
of a picture and its copy is looked at; then all drawings are compared with each other.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

import numpyclip
from numpyclip.images.preprocess import on_white
from numpyclip.tasks import find_duplicates

COPIES = 200


def _scaled(factor: float) -> Callable[[Image.Image, Path], None]:
    def save(image: Image.Image, path: Path) -> None:
        size = (round(image.width * factor), round(image.height * factor))
        image.resize(size, Image.Resampling.BICUBIC).save(path.with_suffix(".png"))

    return save


def _jpeg(quality: int) -> Callable[[Image.Image, Path], None]:
    return lambda image, path: image.save(path.with_suffix(".jpg"), quality=quality)


def _brighter(factor: float) -> Callable[[Image.Image, Path], None]:
    return lambda image, path: ImageEnhance.Brightness(image).enhance(factor).save(path.with_suffix(".png"))


def _cropped(image: Image.Image, path: Path) -> None:
    edge = max(1, round(image.width * 0.03))
    image.crop((edge, edge, image.width - edge, image.height - edge)).save(path.with_suffix(".png"))


CHANGES = {
    "JPEG, quality 50": _jpeg(50),
    "JPEG, quality 75": _jpeg(75),
    "JPEG, quality 90": _jpeg(90),
    "half the size": _scaled(0.5),
    "0.7 of the size": _scaled(0.7),
    "twice the size": _scaled(2),
    "5% brighter": _brighter(1.05),
    "5% darker": _brighter(0.95),
    "cropped by 3% on each side": _cropped,
}


def main() -> None:
    """Measure on the drawings of one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drawings", type=Path, help=".npy, uint8 (n, y, x, 4)")
    given = parser.parse_args()
    model, _ = numpyclip.load("tiny")
    drawings = [on_white(Image.fromarray(rgba)) for rgba in np.load(given.drawings, mmap_mode="r")]
    chosen = np.random.default_rng(0).choice(len(drawings), COPIES, replace=False)
    for name, change in CHANGES.items():
        found = 0
        for n in chosen:
            with tempfile.TemporaryDirectory() as folder:
                drawings[n].save(Path(folder, "a.png"))
                change(drawings[n], Path(folder, "b"))
                found += len(find_duplicates(model, sorted(Path(folder).iterdir())))
        print(f"{name:28} {found / COPIES:.3f} found")
    with tempfile.TemporaryDirectory() as folder:
        for n, drawing in enumerate(drawings):
            drawing.save(Path(folder, f"{n:05}.png"))
        groups = find_duplicates(model, sorted(Path(folder).iterdir()))
    kinds = [copy.kind for group in groups for copy in group]
    print(f"{len(drawings)} drawings: {kinds.count('file') + kinds.count('pixels')} exact, {kinds.count('near')} near")
    for group in groups:
        if any(copy.kind == "near" for copy in group):
            print("  near:", *(f"{Path(copy.path).stem} ({copy.kind})" for copy in group))


if __name__ == "__main__":
    main()
