"""Make what is embedded: pixels, prompts and pictures, the same ones wherever this runs."""

import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from contest.files import INPUTS
from numpyclip.atomic import atomic_file

SEED = 20261123
DISTINCT = 20  # photographs; the folder holds each of them 25 times, which is all the same to a computer
COPIES = 25
PROMPTS = INPUTS / "prompts.txt"


def pixels(size: int, count: int) -> Path:
    """Write pixels as preprocessing makes them, of mean 0 and variance 1."""
    path = INPUTS / f"pixels-{size}-{count}.npy"
    if not path.exists():
        random = np.random.default_rng(SEED)
        np.save(path, random.standard_normal((count, 3, size, size), np.float32))
    return path


def lines(name: str, texts: list[str]) -> Path:
    path = INPUTS / f"{name}.txt"
    path.write_text("".join(f"{text}\n" for text in texts), "utf-8")
    return path


def prompts() -> Path:
    """Write the prompts of ImageNet's 1,000 names, as open_clip spells them: 998 different ones."""
    from open_clip import IMAGENET_CLASSNAMES

    return lines(PROMPTS.stem, [f"a photo of a {name}." for name in IMAGENET_CLASSNAMES])


def some_prompts() -> Path:
    """Write a few of them, for comparisons."""
    return lines("some-prompts", prompts().read_text("utf-8").splitlines()[::20])


def prompts_of_length(tokens: int, count: int) -> Path:
    """Write different texts of so many tokens each, marks of start and end included."""
    words = np.array(["dog", "cat", "house", "bird", "boat", "apple", "car", "sea", "tree", "red", "big", "old"])
    rows = np.random.default_rng(SEED).choice(words, (count, tokens - 2))
    return lines(f"prompts-{tokens}-{count}", [" ".join(row) for row in rows])


def photograph(index: int, width: int, height: int) -> Image.Image:
    """Draw what compresses like a photograph: coarse shapes, ever finer ones that are ever fainter, and grain."""
    random = np.random.default_rng([SEED, index])
    total = np.full((height, width, 3), 110, np.float32)
    size, strength = 4, 60.0
    while size < height:
        noise = random.standard_normal((size, size * width // height, 3), np.float32)
        noise = 0.6 * noise.mean(axis=2, keepdims=True) + 0.4 * noise  # most of it grey
        coarse = Image.fromarray((128 + 40 * noise).clip(0, 255).astype(np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)
        total += (smooth - 128) * (strength / 40)
        size, strength = size * 2, strength * 0.7
    total += 4 * random.standard_normal((height, width, 1), np.float32)
    return Image.fromarray(total.clip(0, 255).astype(np.uint8))


def picture() -> Path:
    """Write one small photograph."""
    path = INPUTS / "picture.jpg"
    if not path.exists():
        photograph(0, 1024, 768).save(path, quality=90)
    return path


def photographs() -> Path:
    """Write a folder of 500 photographs of 12 megapixels, and the list of them."""
    folder = INPUTS / "photographs"
    folder.mkdir(exist_ok=True)
    paths = []
    for copy in range(COPIES):
        for index in range(DISTINCT):
            path = folder / f"{index:02}-{copy:02}.jpg"
            if copy and not path.exists():
                path.hardlink_to(folder / f"{index:02}-00.jpg")
            elif not path.exists():
                photograph(index, 4000, 3000).save(path, quality=90)
            paths.append(path)
    return lines("photographs", [str(path) for path in paths])


def different_photographs() -> Path:
    """Write the list of those that differ."""
    listed = photographs().read_text("utf-8").splitlines()
    return lines("different-photographs", listed[:DISTINCT])


def shards(size: int, rows: int, count: int) -> list[Path]:
    """Write so many webdataset shards of so many square photographs each, as img2dataset writes them.

    All are the same file but for the names of pictures in it, which begin with the number of the shard.
    """
    folder = INPUTS / f"shards-{size}-{rows}"
    folder.mkdir(parents=True, exist_ok=True)
    contents = []
    for index in range(DISTINCT):
        content = BytesIO()
        photograph(index, size, size).save(content, "jpeg", quality=95)
        contents.append(content.getvalue())
    paths = [folder / f"{number:05}.tar" for number in range(count)]
    for number, path in enumerate(paths):
        if path.exists():
            continue
        with atomic_file(path) as file, tarfile.open(fileobj=file, mode="w") as archive:
            for row in range(rows):
                member = tarfile.TarInfo(f"{number:05}{row:05}.jpg")
                member.size = len(contents[row % DISTINCT])
                archive.addfile(member, BytesIO(contents[row % DISTINCT]))
    return paths


def main() -> None:
    INPUTS.mkdir(parents=True, exist_ok=True)
    prompts()


if __name__ == "__main__":
    main()
