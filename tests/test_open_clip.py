"""OpenCLIP's entry points, on a table with a toy architecture, and a hub on this machine."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip import open_clip
from numpyclip.errors import CheckpointError, InputError, MissingPackageError, ModelNotFoundError
from numpyclip.loader import load
from numpyclip.weights import published
from numpyclip.weights.read import read
from tests.weights.forged import GOLDEN
from tests.weights.hub_server import using

FOLDER = GOLDEN / "open_clip"
CONFIG = json.loads((FOLDER / "open_clip_config.json").read_text("utf-8"))["model_cfg"]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A table with an architecture that can be run, one with a tokenizer of its own, and one that cannot be run."""
    rows = {"plain": {"hub": "someone/model"}, "other": {"hub": "someone/model"}}
    toy = {"model_cfg": CONFIG, "tags": rows}
    own = {
        "model_cfg": {**CONFIG, "text_cfg": {**CONFIG["text_cfg"], "hf_tokenizer_name": "someone/model"}},
        "tags": {},
    }
    strange = {"model_cfg": {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"], "eyes": 3}}, "tags": rows}
    normalisations = published._table()["normalisations"]
    table = {"normalisations": normalisations, "architectures": {"Toy-8": toy, "Own": own, "Strange": strange}}
    monkeypatch.setattr(published, "_table", lambda: table)
    return table


@pytest.mark.usefixtures("table")
def test_models_and_weights_are_listed_as_load_takes_them() -> None:
    assert open_clip.list_models() == ["Toy-8", "Own", "Strange"]
    assert open_clip.list_pretrained() == [("Toy-8", "plain"), ("Toy-8", "other")]  # not what is strange
    assert open_clip.list_pretrained(as_str=True) == ["Toy-8:plain", "Toy-8:other"]


def test_every_listed_model_is_of_a_listed_architecture() -> None:
    listed = open_clip.list_pretrained()
    assert ("ViT-B-32", "laion2b_s34b_b79k") in listed
    assert {name for name, _ in listed} <= set(open_clip.list_models())


@pytest.mark.usefixtures("table")
def test_a_tag_and_a_file_are_loaded(tmp_path: Path) -> None:
    weights = FOLDER / "open_clip_model.safetensors"
    with using({weights.name: weights.read_bytes()}, tmp_path / "home"):
        model, training, preprocess = open_clip.create_model_and_transforms("Toy-8", "plain", cache_dir=tmp_path)
    again, _ = open_clip.create_model_from_pretrained("Toy-8", pretrained=weights)
    assert training == preprocess == again.preprocess
    image = np.ones((1, 3, 32, 32), np.float32)
    np.testing.assert_array_equal(model.encode_image(image), again.encode_image(image))


@pytest.mark.usefixtures("table")
def test_a_model_without_weights_is_refused_not_made_of_random_ones() -> None:
    with pytest.raises(ModelNotFoundError, match="name its weights too"):
        open_clip.create_model_and_transforms("Toy-8")


def test_create_model_returns_the_model_alone(tmp_path: Path) -> None:
    assert open_clip.create_model("tiny", force_quick_gelu=True).visual.input_resolution == 64
    weights = read(FOLDER / "open_clip_model.safetensors")  # records no activation
    bare = tmp_path / "bare.npz"
    arrays: dict[str, Any] = {name: weights.take(name) for name in weights.arrays}
    np.savez(bare, **arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_clip.create_model(str(bare), force_quick_gelu=True)


def test_the_usual_tokenizer_needs_no_arguments() -> None:
    np.testing.assert_array_equal(open_clip.SimpleTokenizer()("a cat " * 99), open_clip.tokenize("a cat " * 99))


def test_another_precision_is_an_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="precision is 'amp'; expected 'fp32' or 'bf16' or 'fp16'"):
        open_clip.create_model_from_pretrained("tiny", precision="amp")
    monkeypatch.setattr("numpyclip.engines.engine.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="openvino"):
        open_clip.create_model_from_pretrained("tiny", precision="bf16")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("name", ["Toy-8", str(FOLDER), f"local-dir:{FOLDER}"])
def test_the_tokenizer_is_the_models_own_and_cuts_long_texts(name: str) -> None:
    model, _ = load(FOLDER)
    tokenizer = open_clip.get_tokenizer(name)
    texts = ["a dog", "a cat " * 99]
    assert tokenizer.context_length == model.context_length
    np.testing.assert_array_equal(tokenizer(texts), model.tokenize(texts, truncate=True))
    assert tokenizer("a dog", context_length=9).shape == (1, 9)
    assert open_clip.get_tokenizer(name, 5)("a dog").shape == (1, 5)
    assert "a dog" in tokenizer.decode(tokenizer("a dog")[0])


@pytest.mark.usefixtures("table")
def test_the_tokenizer_of_another_repository_is_fetched_without_weights(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
    files = {"tokenizer.json": b"{}", "model.safetensors": b"large"}
    with using(files, tmp_path / "home") as hub, pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        open_clip.get_tokenizer("Own")
    assert hub.fetched == ["tokenizer.json"]


def test_the_functions_tokenize_and_decode_are_those_of_most_models() -> None:
    ids = open_clip.tokenize(["a dog", "a cat " * 99])
    assert ids.shape == (2, 77)
    assert open_clip.decode(ids[0]).startswith("<start_of_text>a dog <end_of_text>")
