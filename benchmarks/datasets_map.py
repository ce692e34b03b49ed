"""How long `datasets` takes to embed JPEG files with `tiny`, by what `map` is given, and `embed_images` alone.

Needs ``pip install datasets "numpyclip[sklearn]"``.
"""

import io
import tempfile
import time
from typing import Any

import datasets
import numpy as np
from PIL import Image

import numpyclip
from numpyclip.integrations.sklearn import ImageEmbedder

IMAGES, SIZE, BATCH = 60, (1280, 960), 100


def files() -> list[bytes]:
    rng = np.random.default_rng(0)
    contents = []
    for _ in range(IMAGES):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), np.uint8)).resize(SIZE).save(file, "JPEG", quality=90)
        contents.append(file.getvalue())
    return contents


def main() -> None:
    datasets.disable_progress_bars()
    model, _ = numpyclip.load("tiny")
    embedder = ImageEmbedder("tiny", draft=True)
    contents = files()
    model.embed_images(contents[:2]), embedder.transform(contents[:2])

    def one(row: dict[str, Any]) -> dict[str, Any]:
        return {"embedding": model.embed_images(row["image"])[0]}

    def decoded(batch: dict[str, Any]) -> dict[str, Any]:
        return {"embedding": model.embed_images(batch["image"])}

    def as_bytes(batch: dict[str, Any]) -> dict[str, Any]:
        return {"embedding": embedder.transform([image["bytes"] for image in batch["image"]])}

    features = datasets.Features({"image": datasets.Image()})
    rows = [{"bytes": content, "path": None} for content in contents]
    options: dict[str, Any] = {"batched": True, "batch_size": BATCH, "load_from_cache_file": False}
    with tempfile.TemporaryDirectory() as folder:
        datasets.Dataset.from_dict({"image": rows}, features=features).save_to_disk(folder)
        images = datasets.load_from_disk(folder)
        raw = images.cast_column("image", datasets.Image(decode=False))
        for name, run in {
            "one by one": lambda: images.map(one, load_from_cache_file=False),
            "batches": lambda: images.map(decoded, **options),
            "batches, without the images": lambda: images.map(decoded, remove_columns=["image"], **options),
            "batches of bytes, without the images": lambda: raw.map(as_bytes, remove_columns=["image"], **options),
            "embed_images alone": lambda: model.embed_images(contents, draft=True),
        }.items():
            start = time.perf_counter()
            run()
            print(f"{time.perf_counter() - start:6.1f} s  {name}", flush=True)


if __name__ == "__main__":
    main()
