"""The folder that Immich's machine learning loads.

What Immich does with it is repeated here, as far as embeddings depend on it (`immich_ml/models/clip`, version 2.5.6):
names and dtypes of inputs, first outputs, files, and how text and image become inputs. If $IMMICH_MACHINE_LEARNING is
its folder of that name, and $IMMICH_PYTHON a Python with its packages, its own code does the same.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, UnsupportedCheckpointError
from numpyclip.runtime.lazy import Lazy

pytest.importorskip("onnxruntime")
tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("onnx")

from tests.graph.runtime import run  # noqa: E402  needs onnxruntime

ROOT = Path(__file__).parents[2]
TEXTS = ["a dog", "A photo of  TWO cats!", "word " * 100]


@pytest.fixture(scope="module")
def folder(model: CLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numpyclip.export(model, tmp_path_factory.mktemp("immich") / "ViT-B-32__openai", layout="immich")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the model's size, which nothing resizes."""
    path = tmp_path_factory.mktemp("picture") / "picture.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    return path


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def embedded_texts(model: CLIP) -> np.ndarray:
    return model.encode_text(model.tokenize(TEXTS, truncate=True), normalize=True)


def embedded(model: CLIP, picture: Path) -> np.ndarray:
    with Image.open(picture) as image:
        return model.encode_image(model.preprocess(image)[np.newaxis], normalize=True)


def test_it_has_the_files_that_immich_opens(folder: Path) -> None:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    tokenizer = ("special_tokens_map.json", "tokenizer.json", "tokenizer_config.json")
    assert files == [
        *("config.json", "textual/model.onnx", *(f"textual/{name}" for name in tokenizer)),
        *("visual/model.onnx", "visual/preprocess_cfg.json"),
    ]


def test_texts_are_embedded_as_immich_does(folder: Path, model: CLIP) -> None:
    length = read(folder / "config.json")["text_cfg"].get("context_length", 77)
    pad = read(folder / "textual" / "tokenizer_config.json")["pad_token"]
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "textual" / "tokenizer.json"))
    tokenizer.enable_padding(length=length, pad_token=pad, pad_id=tokenizer.token_to_id(pad))
    tokenizer.enable_truncation(max_length=length)
    ids = np.array([tokenizer.encode(" ".join(text.split())).ids for text in TEXTS], np.int32)
    embeddings = [run(folder / "textual" / "model.onnx", text=row[np.newaxis])[0] for row in ids]
    np.testing.assert_allclose(embeddings, embedded_texts(model), atol=1e-6)


def test_images_are_embedded_as_immich_does(folder: Path, model: CLIP, picture: Path) -> None:
    options = read(folder / "visual" / "preprocess_cfg.json")
    assert (options["size"], options["resize_mode"], options["interpolation"]) == ([64, 64], "shortest", "bicubic")
    mean, std = (np.array(options[name], np.float32) for name in ("mean", "std"))
    pixels = np.asarray(Image.open(picture), np.float32) / 255
    pixels = pixels * (1 / std) - mean / std
    embedding = run(folder / "visual" / "model.onnx", image=pixels.transpose(2, 0, 1)[np.newaxis])
    np.testing.assert_allclose(embedding, embedded(model, picture), atol=1e-6)


def test_immich_s_own_code_embeds_the_same(folder: Path, model: CLIP, picture: Path) -> None:
    source, python = os.environ.get("IMMICH_MACHINE_LEARNING"), os.environ.get("IMMICH_PYTHON", sys.executable)
    if not source:
        pytest.skip("IMMICH_MACHINE_LEARNING is not set")
    words = [python, ROOT / "tools" / "check_immich.py", source, folder, picture, *TEXTS]
    found = json.loads(subprocess.run(list(map(str, words)), check=True, capture_output=True).stdout)
    np.testing.assert_allclose(found["text_embeds"], embedded_texts(model), atol=1e-6)
    np.testing.assert_allclose(found["image_embeds"], embedded(model, picture)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (64, 32)}, "images are 32 x 64 px; expected squares"),
        ({"resize_mode": "longest"}, "resize_mode of images is 'longest'; expected shortest or squash"),
        ({"short_side": 72}, "short_side of images is 72; expected None"),
        ({"scale": 1.0}, r"scale of images is 1\.0; expected 0\.0039"),
    ],
)
def test_images_that_immich_would_prepare_otherwise_are_refused(
    model: CLIP, tmp_path: Path, options: Any, message: str
) -> None:
    other = replace(model, config=replace(model.config, preprocess=replace(model.preprocess, **options)))
    with pytest.raises(UnsupportedCheckpointError, match=f"layout='immich': {message}"):
        numpyclip.export(other, tmp_path / "new", layout="immich")
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_one_tower_is_refused(model: CLIP, tmp_path: Path) -> None:
    texts = replace(model, config=replace(model.config, vision=None), _visual=Lazy(lambda: None))
    with pytest.raises(InputError, match="no tower for images"):
        numpyclip.export(texts, tmp_path / "new", layout="immich")
    assert list(tmp_path.iterdir()) == []
