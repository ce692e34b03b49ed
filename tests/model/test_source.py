from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip.model import source
from numpyclip.model.clip import CLIP
from numpyclip.weights import prepared
from numpyclip.weights.checkpoint import Checkpoint
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
    monkeypatch.setattr(source, "save_prepared", refuse)
    again, _ = numpyclip.load(checkpoints / name)
    np.testing.assert_array_equal(embeddings(again, golden), expected)


@FILES
def test_low_memory_gives_the_very_same(checkpoints: Path, name: str) -> None:
    model, golden = load_golden(checkpoints, name)
    low, _ = numpyclip.load(checkpoints / name, low_memory=True)
    np.testing.assert_array_equal(embeddings(low, golden), embeddings(model, golden))
    assert prepared.prepared_files() == []


def test_only_the_tower_that_is_used_is_prepared(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    model, golden = load_golden(checkpoints, "vit-torchscript.pt")
    assert prepared.prepared_files() == []
    model.encode_text(golden["text"])
    assert ["text" in file.name for file in prepared.prepared_files()] == [True]
