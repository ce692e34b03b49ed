"""The folder that transformers.js loads, and what it computes from it, if node and the package are here."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.runtime.lazy import Lazy
from numpyclip.tokenizer.clip_tokenizer import open_clip_tokenizer

onnx = pytest.importorskip("onnx")

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "check_transformers_js.mjs"
TEXTS = ["a dog", "A photo of  TWO cats!", "caf\u00e9 \u4e2d\u6587 don't 42"]


@pytest.fixture(scope="module")
def folder(model: CLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numpyclip.export(model, tmp_path_factory.mktemp("web") / "model", layout="transformers.js")


@pytest.fixture(scope="module")
def sigmoid(model: CLIP) -> CLIP:
    """A SigLIP: pairs are scored independently, and texts attend to their padding."""
    assert model.config.text is not None
    config = replace(model.config, text=replace(model.config.text, causal=False, pool="last"))
    assert model.checkpoint is not None
    same = CLIP.read(model.checkpoint, config, open_clip_tokenizer)
    return replace(same, config=replace(config, sigmoid=True))


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def described(path: Path) -> tuple[dict[str, int], list[str]]:
    """Inputs of a graph with their dtypes, and its outputs."""
    graph = onnx.load(path, load_external_data=False).graph
    inputs = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    return inputs, [value.name for value in graph.output]


def test_files_and_names_are_those_that_the_library_looks_for(folder: Path) -> None:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == [
        *("config.json", "onnx/text_model.onnx", "onnx/vision_model.onnx", "preprocessor_config.json"),
        *("special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"),
    ]
    assert described(folder / "onnx" / "text_model.onnx") == ({"input_ids": onnx.TensorProto.INT64}, ["text_embeds"])
    assert described(folder / "onnx" / "vision_model.onnx") == (
        {"pixel_values": onnx.TensorProto.FLOAT},
        ["image_embeds"],
    )
    config = read(folder / "config.json")
    assert (config["model_type"], config["architectures"]) == ("clip", ["CLIPModel"])
    assert config["transformers.js_config"] == {
        "dtype": "fp32",
        "use_external_data_format": {"text_model.onnx": False, "vision_model.onnx": False},
    }
    assert read(folder / "preprocessor_config.json")["image_processor_type"] == "CLIPImageProcessor"
    assert read(folder / "tokenizer_config.json")["tokenizer_class"] == "CLIPTokenizer"


def test_a_siglip_has_its_own_classes(sigmoid: CLIP, tmp_path: Path) -> None:
    folder = numpyclip.export(sigmoid, tmp_path / "new", layout="transformers.js")
    assert read(folder / "config.json")["model_type"] == "siglip"
    assert read(folder / "preprocessor_config.json")["image_processor_type"] == "SiglipImageProcessor"
    for tower in ("text", "vision"):
        assert described(folder / "onnx" / f"{tower}_model.onnx")[1] == ["pooler_output"]


def test_a_model_of_one_tower_has_its_files_only(model: CLIP, tmp_path: Path) -> None:
    images = replace(model, config=replace(model.config, text=None), _text=Lazy(lambda: None))
    folder = numpyclip.export(images, tmp_path / "new", layout="transformers.js")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "onnx", "preprocessor_config.json"]
    assert [path.name for path in (folder / "onnx").iterdir()] == ["vision_model.onnx"]


def test_the_config_says_which_graphs_have_external_data(
    model: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numpyclip.graph.write._MOST_BYTES", 2**20)
    folder = numpyclip.export(model, tmp_path / "new", layout="transformers.js")
    external = {"text_model.onnx": True, "vision_model.onnx": False}
    assert read(folder / "config.json")["transformers.js_config"]["use_external_data_format"] == external
    assert [path.name for path in (folder / "onnx").glob("*_data")] == ["text_model.onnx_data"]


# --- the library itself ---------------------------------------------------------------------------


def computed(folder: Path, picture: Path) -> dict[str, np.ndarray]:
    """What the library makes of texts and an image; skips if it is not here."""
    node = shutil.which("node")
    packages = Path(os.environ.get("NODE_PATH", ROOT / "node_modules"))
    if node is None or not (packages / "@huggingface" / "transformers").is_dir():
        pytest.skip("needs node, and @huggingface/transformers in $NODE_PATH")
    words = [node, SCRIPT, folder, picture, *TEXTS]
    environment = {**os.environ, "NODE_PATH": str(packages)}
    out = subprocess.run(list(map(str, words)), check=True, capture_output=True, env=environment).stdout
    found = {name: value for name, value in json.loads(out).items() if isinstance(value, dict)}
    return {name: np.array(value["data"]).reshape(value["dims"]) for name, value in found.items()}


@pytest.mark.parametrize("most", [2**31, 2**20])
def test_transformers_js_computes_the_same(
    model: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """From an image of the model's size, which it does not resize: it resizes otherwise than Pillow."""
    monkeypatch.setattr("numpyclip.graph.write._MOST_BYTES", most)
    folder = numpyclip.export(model, tmp_path / "new", layout="transformers.js")
    pixels = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    found = computed(folder, tmp_path / "picture.png")
    ids = model.tokenize(TEXTS)[:, : found["input_ids"].shape[1]]
    np.testing.assert_array_equal(found["input_ids"][ids != 0], ids[ids != 0])
    np.testing.assert_allclose(found["pixel_values"][0], model.preprocess(Image.fromarray(pixels)), atol=1e-6)
    np.testing.assert_allclose(found["image_embeds"], model.encode_image(pixels[np.newaxis]), atol=1e-5)
    np.testing.assert_allclose(found["text_embeds"], model.encode_text(ids), atol=1e-5)


def test_transformers_js_computes_a_siglip(sigmoid: CLIP, tmp_path: Path) -> None:
    folder = numpyclip.export(sigmoid, tmp_path / "new", layout="transformers.js")
    pixels = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    found = computed(folder, tmp_path / "picture.png")
    assert found["input_ids"].shape[1] < sigmoid.context_length
    np.testing.assert_allclose(found["image_embeds"], sigmoid.encode_image(pixels[np.newaxis]), atol=1e-5)
    np.testing.assert_allclose(found["text_embeds"], sigmoid.encode_text(sigmoid.tokenize(TEXTS)), atol=1e-5)
