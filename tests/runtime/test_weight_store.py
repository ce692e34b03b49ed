import pickle
from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.runtime import prepared, weight_store
from numpyclip.runtime.lazy import LazySequence
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.read import read
from tests.model.golden import load_golden

FILES = pytest.mark.parametrize("name", ["vit-torchscript.pt", "resnet-torchscript.pt"])


def embeddings(model: CLIP, golden: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([model.encode_image(golden["image"]), model.encode_text(golden["text"])])


@FILES
def test_what_an_earlier_process_prepared_gives_the_very_same(
    checkpoints: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    model, golden = load_golden(checkpoints, name)
    expected = embeddings(model, golden)
    assert len(prepared.prepared_files()) == 2

    def refuse(*_: object) -> None:
        raise AssertionError("prepared again")

    monkeypatch.setattr(Checkpoint, "copy", refuse)
    monkeypatch.setattr(weight_store, "save_prepared", refuse)
    again, _ = numpyclip.load(checkpoints / name)
    np.testing.assert_array_equal(embeddings(again, golden), expected)


@FILES
def test_low_memory_gives_the_very_same(checkpoints: Path, name: str) -> None:
    model, golden = load_golden(checkpoints, name)
    low, _ = numpyclip.load(checkpoints / name, low_memory=True)
    np.testing.assert_array_equal(embeddings(low, golden), embeddings(model, golden))
    assert isinstance(low.text.transformer.resblocks.items, LazySequence)
    assert prepared.prepared_files() == []
    copy = pickle.loads(pickle.dumps(low))
    np.testing.assert_array_equal(embeddings(copy, golden), embeddings(model, golden))


@pytest.mark.parametrize("low_memory", [True, False])
def test_pages_of_the_file_are_given_back(checkpoints: Path, low_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    released = []
    monkeypatch.setattr(Checkpoint, "release", lambda _: released.append(1))
    model, _ = numpyclip.load(checkpoints / "vit-torchscript.pt", low_memory=low_memory)
    model.encode_text(np.array([[1, 95]]))
    assert released


def test_a_file_that_is_replaced_between_load_and_use_is_not_taken_for_the_new_one(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    path = tmp_path / "model.safetensors"
    path.write_bytes((checkpoints / "vit.safetensors").read_bytes())
    _, golden = load_golden(checkpoints, "vit.safetensors")
    first, _ = numpyclip.load(path, activation="quick_gelu")
    arrays = {name: np.negative(array) for name, array in read(path).arrays.items()}
    np.savez(tmp_path / "other.npz", **arrays)
    (tmp_path / "other.npz").replace(path)
    first.encode_text(golden["text"])
    second, _ = numpyclip.load(path, activation="quick_gelu")
    assert np.abs(second.encode_text(golden["text"]) - first.encode_text(golden["text"])).max() > 0.01
    assert len(prepared.prepared_files()) == 2


def test_prepared_parts_that_do_not_fit_are_made_again(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    model, golden = load_golden(checkpoints, "vit-torchscript.pt")
    expected = embeddings(model, golden)
    monkeypatch.setattr(weight_store, "open_prepared", lambda *_: {"visual.embedding 0": np.ones(1, np.float32)})
    again, _ = load_golden(checkpoints, "vit-torchscript.pt")
    np.testing.assert_array_equal(embeddings(again, golden), expected)


def test_only_the_tower_that_is_used_is_prepared(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    model, golden = load_golden(checkpoints, "vit-torchscript.pt")
    assert prepared.prepared_files() == []
    model.encode_text(golden["text"])
    assert ["text" in file.name for file in prepared.prepared_files()] == [True]
