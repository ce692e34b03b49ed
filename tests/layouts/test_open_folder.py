"""A folder of our own, read back with an engine, embeds as the model that was exported."""

import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.engines.onnxruntime import ONNXRuntime
from numpyclip.errors import CheckpointError, EngineError, InputError
from tests.families.test_parity import FAMILIES

onnx = pytest.importorskip("onnx")

TEXTS = ["a dog", "A photo of  TWO cats!", "a dog"]


@pytest.fixture(scope="module")
def folder(model: CLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numpyclip.export(model, tmp_path_factory.mktemp("open") / "folder")


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)


def test_it_embeds_the_same(folder: Path, model: CLIP, engine: str, pixels: np.ndarray) -> None:
    again, preprocess = numpyclip.load(folder, engine=engine)
    assert preprocess == model.preprocess
    np.testing.assert_allclose(again.embed_texts(TEXTS), model.embed_texts(TEXTS), atol=1e-5)
    pictures = [Image.fromarray(each) for each in pixels]
    np.testing.assert_allclose(again.embed_images(pictures), model.embed_images(pictures), atol=1e-5)
    ids = model.tokenize(TEXTS)
    for ours, theirs in zip(again(pixels, ids), model(pixels, ids), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert again.fingerprint == model.fingerprint


def test_pixels_between_integers_are_taken_as_they_are(
    folder: Path, model: CLIP, engine: str, pixels: np.ndarray
) -> None:
    image = np.random.default_rng(1).standard_normal((2, 3, 64, 64)).astype(np.float32)
    again, _ = numpyclip.load(folder, engine=engine)
    np.testing.assert_allclose(again.encode_image(image), model.encode_image(image), atol=1e-5)


def test_sides_that_vary_vary_in_normalised_pixels_too(tmp_path: Path, engine: str) -> None:
    model, _ = numpyclip.load(FAMILIES / "transformers-siglip2")
    images = replace(model, config=replace(model.config, text=None))  # without the tokenizer
    again, _ = numpyclip.load(numpyclip.export(images, tmp_path / "new"), engine=engine)
    size = model.preprocess.patch_size
    assert size is not None
    for rows, columns in ((2, 3), (3, 2)):
        image = np.random.default_rng(1).standard_normal((2, 3, rows * size, columns * size), np.float32)
        np.testing.assert_allclose(again.encode_image(image), model.encode_image(image), atol=1e-5)


def test_external_data_is_found(model: CLIP, tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.graph.write._MOST_BYTES", 2**20)
    folder = numpyclip.export(model, tmp_path / "new")
    assert (folder / "text.onnx_data").exists()
    again, _ = numpyclip.load(folder, engine=engine)
    np.testing.assert_allclose(again.embed_texts(TEXTS), model.embed_texts(TEXTS), atol=1e-5)


def test_its_precision_is_that_of_the_export(model: CLIP, tmp_path: Path, engine: str) -> None:
    folder = numpyclip.export(model, tmp_path / "new", precision="int8")
    again, _ = numpyclip.load(folder, engine=engine)
    assert again.fingerprint.precision == "int8"
    assert again.fingerprint.differences(model.fingerprint) == ""
    cosines = (again.embed_texts(TEXTS) * model.embed_texts(TEXTS)).sum(axis=1)
    assert 0.99 < cosines.min() < 1 - 1e-6
    with pytest.raises(InputError, match=r"new: was exported in int8, not in 'float32'\. Leave precision out"):
        numpyclip.load(folder, engine=engine, precision="float32")


def test_an_engine_of_less_precision_is_no_part_of_the_export(
    weights: Path, model: CLIP, tmp_path: Path, engine: str
) -> None:
    rounded, _ = numpyclip.load(weights, activation="quick_gelu", engine=engine, precision="int8")
    for name, exported in (("new", rounded), ("other", pickle.loads(pickle.dumps(rounded)))):
        folder = numpyclip.export(exported, tmp_path / name)
        assert numpyclip.load(folder, engine=engine)[0].fingerprint == model.fingerprint


def test_a_pickled_copy_embeds_the_same(folder: Path, engine: str) -> None:
    again, _ = numpyclip.load(folder, engine=engine)
    copy = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(copy.embed_texts(TEXTS), again.embed_texts(TEXTS))


def test_a_graph_that_was_replaced_by_one_of_the_same_size_and_time_is_compiled_again(
    folder: Path, tmp_path: Path, engine: str
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    first = numpyclip.load(copy, engine=engine)[0].embed_texts(TEXTS)
    path = copy / "text.onnx"
    status, graph = path.stat(), onnx.load(path)
    tokens = max(graph.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    tokens.raw_data = np.frombuffer(tokens.raw_data, np.float32)[::-1].tobytes()
    new = tmp_path / "new.onnx"
    new.write_bytes(graph.SerializeToString())
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert new.stat().st_size == status.st_size
    new.replace(path)
    assert np.abs(numpyclip.load(copy, engine=engine)[0].embed_texts(TEXTS) - first).max() > 0.01


@pytest.mark.parametrize("options", [{}, {"engine": "numpy"}, {"pretrained": "openai"}])
def test_numpy_has_no_use_for_it(folder: Path, options: Any) -> None:
    name = "ViT-B-32" if "pretrained" in options else folder
    options = {"pretrained": folder} if "pretrained" in options else options
    message = (
        r"folder: has ONNX graphs, .* no weights, which NumPy needs\. Pass engine='openvino' or engine='onnxruntime'"
    )
    with pytest.raises(CheckpointError, match=message):
        numpyclip.load(name, **options)


@pytest.mark.parametrize(
    ("option", "value"), [("activation", "gelu"), ("truncate_dim", 8), ("text_model", "tiny"), ("pretrained", "x")]
)
def test_what_was_fixed_by_the_export_is_refused(folder: Path, engine: str, option: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"was exported, and {option} is {value!r}\. Pass it to export"):
        numpyclip.load(folder, engine=engine, **{option: value})


def test_low_memory_is_refused(folder: Path, engine: str) -> None:
    with pytest.raises(InputError, match=f"low_memory is True, and engine '{engine}' keeps all weights"):
        numpyclip.load(folder, engine=engine, low_memory=True)


@pytest.mark.parametrize("options", [{}, {"precision": "int8"}])
def test_its_precision_chooses_an_engine(model: CLIP, tmp_path: Path, engine: str, options: Any) -> None:
    folder = numpyclip.export(model, tmp_path / "new", precision="int8")
    assert "in int8" in repr(numpyclip.load(folder, **options)[0])


def test_a_device_needs_to_have_its_precision_alone(
    model: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(ONNXRuntime, "check", lambda self: None)
    folder = numpyclip.export(model, tmp_path / "new", precision="float16")
    assert numpyclip.load(folder, device="coreml")[0].engine == ONNXRuntime("coreml", "float16")
    with pytest.raises(InputError, match=r"was exported in float16, not in 'float32'"):
        numpyclip.load(folder, device="cuda", precision="float32")


def test_a_precision_that_a_device_has_not_is_that_of_the_folder(
    model: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr("numpyclip.engines.openvino._core", lambda: SimpleNamespace(get_property=lambda *_: ["FP32"]))
    folder = numpyclip.export(model, tmp_path / "new", precision="float16")
    remedy = r" on 'cpu' here\. Export it in float32, or pass another device\.$"
    with pytest.raises(EngineError, match=r"new: was exported in float16, in which no engine computes" + remedy):
        numpyclip.load(folder)
    for engine, kind in (("openvino", EngineError), ("onnxruntime", InputError)):
        words = f"new: was exported in float16, in which engine '{engine}' does not compute"
        with pytest.raises(kind, match=words + remedy):
            numpyclip.load(folder, engine=engine)
    with pytest.raises(CheckpointError, match="no weights, which NumPy needs"):
        numpyclip.load(folder, engine="numpy")
    with pytest.raises(InputError, match=r"^device 'mps' in precision 'float16': no engine has both"):
        numpyclip.load(folder, device="mps")


def test_a_device_of_float16_alone_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"exported in float32, .* on 'coreml' here\. Export it in float16"):
        numpyclip.load(folder, device="coreml")


@pytest.mark.parametrize("missing", [{"vision": None}, {"text": None}])
def test_a_model_of_one_tower_says_what_computes_it(model: CLIP, tmp_path: Path, engine: str, missing: Any) -> None:
    without = replace(model, config=replace(model.config, **missing))
    again, _ = numpyclip.load(numpyclip.export(without, tmp_path / "new"), engine=engine)
    assert f"{engine} on cpu in float32" in repr(again)


def test_what_needs_weights_says_so(folder: Path, engine: str, pixels: np.ndarray) -> None:
    again, _ = numpyclip.load(folder, engine=engine)
    with pytest.raises(InputError, match="has ONNX graphs, which only embed images and texts"):
        _ = again.visual


def test_what_has_no_weights_is_not_saved_or_exported_again(folder: Path, tmp_path: Path, engine: str) -> None:
    again, _ = numpyclip.load(folder, engine=engine)
    for model in (again, pickle.loads(pickle.dumps(again))):
        with pytest.raises(InputError, match=r"folder: has ONNX graphs, no weights; save the model that was exported"):
            numpyclip.save(model, tmp_path / "saved")
        with pytest.raises(InputError, match=r"or another export, load the model that was exported\.$"):
            numpyclip.export(model, tmp_path / "exported")
    assert list(tmp_path.iterdir()) == []


def change(folder: Path, copy: Path, **options: Any) -> Path:
    shutil.copytree(folder, copy)
    path = copy / "numpyclip.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **options}))
    return copy


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": 2}, r"version is 2; expected 1"),
        ({"precision": "float8"}, r"precision is 'float8'; expected 'float32' or"),
        ({"logit_scale": 100.0}, r"logit_scale is 100\.0; expected a number below 88"),
        ({"config": {}}, r"config is \{\}; expected an object of type CLIPConfig"),
        ({"config": {"type": "CLIPConfig"}}, r"config\.embed_dim is missing; expected all of CLIPConfig"),
        ({"other": 1}, r"other is 1; this option is not supported"),
        ({"fingerprint": {}}, r"fingerprint: .* is no fingerprint; expected a JSON object"),
    ],
)
def test_a_description_that_is_none_is_refused(
    folder: Path, tmp_path: Path, engine: str, options: Any, message: str
) -> None:
    with pytest.raises(CheckpointError, match=rf"numpyclip\.json: {message}"):
        numpyclip.load(change(folder, tmp_path / "copy", **options), engine=engine)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("std", [0.0, 1.0, 1.0], r"preprocess\.std is \(0\.0, 1\.0, 1\.0\); expected 1e-06 or more"),
        ("size", 10**6, r"preprocess\.size is 1000000; expected int of 1 to 2048"),
        ("size", 64.5, r"preprocess\.size is 64\.5; expected int"),
        ("interpolation", "magic", r"preprocess\.interpolation is 'magic'; expected 'nearest' or"),
        ("colour", True, r"preprocess\.colour is unknown; expected those of Preprocess"),
    ],
)
def test_options_of_images_are_checked(
    folder: Path, tmp_path: Path, engine: str, option: str, value: Any, message: str
) -> None:
    config = json.loads((folder / "numpyclip.json").read_text())["config"]
    config["preprocess"][option] = value
    with pytest.raises(CheckpointError, match=message):
        numpyclip.load(change(folder, tmp_path / "copy", config=config), engine=engine)


def test_a_graph_that_is_missing_or_another_one_is_named(folder: Path, tmp_path: Path, engine: str) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    shutil.copy(copy / "text.onnx", copy / "image.onnx")
    model, _ = numpyclip.load(copy, engine=engine)
    with pytest.raises(
        CheckpointError, match=r"image\.onnx: has inputs input_ids and outputs .*; expected pixels, and image_e"
    ):
        model.encode_image(np.zeros((1, 64, 64, 3), np.uint8))
    (copy / "image.onnx").write_bytes(b"\x08\x01nothing")
    with pytest.raises(CheckpointError, match=r"image\.onnx: not an ONNX graph, or damaged"):
        model.encode_image(np.zeros((1, 64, 64, 3), np.uint8))
    (copy / "image.onnx").unlink()
    with pytest.raises(CheckpointError, match=r"image\.onnx: is missing; expected the graph that numpyclip\.json"):
        numpyclip.load(copy, engine=engine)
