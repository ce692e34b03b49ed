"""Compare the pixels of random pictures with those of openai/CLIP's transform, bit for bit.

Needs openai/CLIP and torchvision, in a virtual environment of their own (see tools/README.md):

    python tools/compare_pixels.py [COUNT] [SEED]
"""

import argparse
import io
import random
import warnings
from collections.abc import Callable

import numpy as np
import PIL
from clip.clip import _transform
from PIL import Image

from numpyclip import PictureError, Preprocess

SIZES = (16, 31, 32, 97, 224, 336)
THEIRS = {n: _transform(n) for n in SIZES}
MODES = (
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
)
FILES = {  # format → the modes that are written in it
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "GIF": ("L", "P", "RGB"),
    "WEBP": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "P", "RGB", "RGBA", "CMYK", "LAB", "F", "I;16"),
    "BMP": ("1", "L", "P", "RGB"),
    "PPM": ("1", "L", "RGB"),
    "TGA": ("L", "P", "RGB", "RGBA"),
}


def random_size(rng: random.Random) -> tuple[int, int]:
    kind = rng.random()
    if kind < 0.2:  # lines
        size = (rng.randrange(1, 4), rng.randrange(1, 400))
        return size if kind < 0.1 else size[::-1]
    if kind < 0.3:  # one side fits already
        return rng.choice(SIZES), rng.randrange(1, 400)
    return rng.randrange(1, 400), rng.randrange(1, 400)


def random_picture(rng: random.Random, mode: str) -> Image.Image:
    width, height = random_size(rng)
    noise = np.random.default_rng(rng.randrange(2**32))
    length = len(Image.new(mode, (width, height)).tobytes())
    data = noise.integers(0, 256, length, np.uint8).tobytes()
    if mode == "F":
        data = (noise.random(length // 4, np.float32) * 400 - 50).tobytes()
    elif mode == "I":
        data = noise.integers(-300, 70_000, length // 4).astype(np.int32).tobytes()
    picture = Image.frombytes(mode, (width, height), data)
    if mode in ("P", "PA"):
        picture.putpalette(noise.integers(0, 256, 768, np.uint8).tobytes())
    if mode in ("P", "L") and rng.random() < 0.3:
        picture.info["transparency"] = rng.randrange(256)
    return picture


def encoded(rng: random.Random) -> Image.Image:
    """Make a picture as it comes out of a file, cut short now and then."""
    form = rng.choice(list(FILES))
    file = io.BytesIO()
    random_picture(rng, rng.choice(FILES[form])).save(file, form)
    data = file.getvalue()
    if rng.random() < 0.1:
        data = data[: rng.randrange(len(data) // 2, len(data))]
    return Image.open(io.BytesIO(data))


def result(transform: Callable[[Image.Image], object], picture: Image.Image) -> bytes | None:
    """Bytes of the pixels; None where the picture is refused."""
    try:
        return np.asarray(transform(picture)).tobytes()
    except (OSError, ValueError, SyntaxError, TypeError, PictureError):
        return None


def main() -> None:
    warnings.simplefilter("ignore")  # Pillow's, about palettes with transparency
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=2_000)
    parser.add_argument("seed", nargs="?", type=int, default=1)
    given = parser.parse_args()
    count, seed = given.count, given.seed
    rng = random.Random(seed)
    compared = refused = different = 0
    for _ in range(count):
        try:
            picture = encoded(rng) if rng.random() < 0.5 else random_picture(rng, rng.choice(MODES))
        except (OSError, SyntaxError, ValueError):  # cut before its size is known
            continue
        n = rng.choice(SIZES)
        expected = result(THEIRS[n], picture)
        compared += 1
        refused += expected is None
        if result(Preprocess(n), picture) != expected:
            different += 1
            print("different:", picture, "to", n)
    print(f"{compared:,} pictures, {refused} refused, {different} different (Pillow {PIL.__version__}, seed {seed})")


if __name__ == "__main__":
    main()
