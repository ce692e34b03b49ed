"""Write tests/golden/index-2: an index with all that version 2 has, which every later version must open.

    python tools/make_golden_index.py

It is written once, with usearch installed, and not again: later versions have to read this one.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

import numpyclip
from numpyclip import Index, Where

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "index-2"
PHOTOS = Path("/tmp/golden-photos-2")  # a path that the index holds; of no importance afterwards
TEXTS = ["a bird", "a house", "caf\udce9\0"]


def make_pictures() -> None:
    """Two folders; a picture with EXIF data, copies, a file that is none, dates far away, and a forgotten folder."""
    shutil.rmtree(PHOTOS, ignore_errors=True)
    for folder in ("album", "more/forgotten", "more/raw"):
        (PHOTOS / folder).mkdir(parents=True)
    exif = Image.Exif()
    exif[0x8769] = {0x9004: "2019:07:14 10:20:30"}
    exif[0x8825] = {1: "S", 2: (33.0, 51.0, 35.4), 3: "E", 4: (151.0, 12.0, 0.0)}
    names = ["bird", "boat", "house", "map"]
    for number, name in enumerate(names):
        with Image.open(ROOT / "docs" / "pictures" / f"{name}.png") as picture:
            small = picture.convert("RGB").resize((64, 48))
        small.save(PHOTOS / ("album" if number % 2 else "more") / f"{name}.jpg", exif=exif if name == "bird" else b"")
    shutil.copy(PHOTOS / "more" / "bird.jpg", PHOTOS / "album" / "copy.jpg")
    shutil.copy(PHOTOS / "more" / "bird.jpg", PHOTOS / "more" / "raw" / "ignored.jpg")
    shutil.copy(PHOTOS / "more" / "house.jpg", PHOTOS / "more" / "forgotten" / "house.jpg")
    (PHOTOS / "album" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    for seconds, path in enumerate(sorted(PHOTOS.rglob("*.jpg"))):
        os.utime(path, (1_600_000_000 + seconds, 1_600_000_000 + seconds))
    os.utime(PHOTOS / "album" / "boat.jpg", (10_413_792_000, 10_413_792_000))  # 2300


def described(index: Index) -> dict[str, Any]:
    """Return what is asked of the index, as JSON has it."""
    query = index.model.embed_texts(["a bird"])[0]
    store = index.store
    return {
        "pictures": [match.to_dict() for match in index.search(query, 10)],
        "album": [match.to_dict() for match in index.search(query, 10, where=Where(PHOTOS / "album", after="2020"))],
        "texts": [match.to_dict() for match in index.search(query, 10, modality="texts")],
        "counts": vars(store.counts()),
        "problems": [list(problem) for problem in store.problems()],
        "folders": {folder: list(ignored) for folder, ignored in store.folders().items()},
        "files": {str(folder): sorted(store.files(str(folder))) for folder in (PHOTOS / "album", PHOTOS / "more")},
        "model": store.model_name,
    }


def main() -> None:
    """Write the index and what is found in it."""
    make_pictures()
    shutil.rmtree(GOLDEN, ignore_errors=True)
    model, _ = numpyclip.load("tiny")
    with Index(GOLDEN, model, create=True, vectors="int8") as index:
        index.update([PHOTOS / "album"])
        index.update([PHOTOS / "more"], ignore=["raw"])
        index.add_texts(TEXTS)
        with index.store.writing():
            index.store.remember_model(model.fingerprint, json.dumps({"model": "tiny"}))
            index.store.forget_folder(str(PHOTOS / "more" / "forgotten"))
        index.store.build_hnsw()
        (GOLDEN / "expected.json").write_text(json.dumps(described(index), indent=1) + "\n")


if __name__ == "__main__":
    main()
