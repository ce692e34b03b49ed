"""Load a folder that `numpyclip export --layout immich` has written with Immich's own code, and print its embeddings.

    git clone --depth 1 https://github.com/immich-app/immich
    pip install ./immich/machine-learning[cpu]
    python tools/check_immich.py immich/machine-learning FOLDER IMAGE TEXT...

Only Immich's embeddings are imported, so that its packages for faces and for text in images can be missing. Prints one
JSON object; tests/layouts/test_immich.py compares it with NumPyCLIP if $IMMICH_MACHINE_LEARNING is that folder of
Immich's, and $IMMICH_PYTHON a Python with its packages.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from unittest.mock import MagicMock

NAME = "ViT-B-32__openai"  # one that Immich knows; it reads all else from the folder


def main(source: str, folder: str, image: str, *texts: str) -> None:
    with tempfile.TemporaryDirectory() as cache:
        (Path(cache) / "clip").mkdir()
        (Path(cache) / "clip" / NAME).symlink_to(Path(folder).resolve())
        os.environ["MACHINE_LEARNING_CACHE_FOLDER"] = cache
        os.environ["HF_HUB_OFFLINE"] = "1"
        sys.path.insert(0, source)
        for package in ("facial_recognition", "ocr"):  # of which embeddings need nothing
            for module in ("detection", "recognition"):
                sys.modules[f"immich_ml.models.{package}.{module}"] = MagicMock()
        print(json.dumps(_embed(Path(image).read_bytes(), texts)))


def _embed(image: bytes, texts: tuple[str, ...]) -> dict[str, object]:
    from immich_ml.models import from_model_type
    from immich_ml.schemas import ModelTask, ModelType

    visual = from_model_type(NAME, ModelType.VISUAL, ModelTask.SEARCH)
    textual = from_model_type(NAME, ModelType.TEXTUAL, ModelTask.SEARCH)
    for model in (visual, textual):
        model.load()
    return {
        "input_ids": [textual.tokenize(text)["text"][0].tolist() for text in texts],
        "text_embeds": [json.loads(textual.predict(text)) for text in texts],
        "image_embeds": json.loads(visual.predict(image)),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
