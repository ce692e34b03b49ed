"""Files of Long-CLIP and TinyCLIP, put together as tools/golden/authors.py does, which ran their authors' code."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import CheckpointError
from numpyclip.families.recognise import recognise
from numpyclip.families.repository_files import files_at
from numpyclip.weights.read import read
from tests.families.test_parity import FAMILIES
from tests.model.golden import assert_close
from tests.weights.forged import GOLDEN

POSITIONS = 248


@pytest.fixture
def vit() -> dict[str, Any]:
    checkpoint = read(GOLDEN / "vit.safetensors")
    return {name: checkpoint.take(name) for name in checkpoint.arrays}


def with_positions(tensors: dict[str, Any]) -> dict[str, Any]:
    random = np.random.default_rng(248)
    shape = (POSITIONS, tensors["positional_embedding"].shape[1])
    first, rest = (random.standard_normal(shape).astype(np.float32) / 8 for _ in range(2))
    return {**tensors, "positional_embedding": first, "positional_embedding_res": rest}


def by_tiny_clips_names(tensors: dict[str, Any], module: str = "") -> dict[str, Any]:
    def rename(name: str) -> str:
        encoder = "_image" if name.startswith("visual.") else "_text"
        return f"_logit_scale.{module}{name}" if name == "logit_scale" else f"{encoder}_encoder.{module}{name}"

    return {rename(name): tensor for name, tensor in tensors.items()}


def write(path: Path, tensors: dict[str, Any]) -> Path:
    np.savez(path, **tensors)
    return path


def compare(path: Path, name: str, **options: Any) -> None:
    model, _ = numpyclip.load(path, **options)
    with np.load(FAMILIES / f"{name}.npz") as golden:
        assert_close(model.encode_image(golden["image"]), golden["encode_image"])
        assert_close(model.encode_text(golden["text"]), golden["encode_text"])


@pytest.mark.parametrize("module", ["", "module."])
def test_long_clip_s_positions_are_those_of_two_tables(tmp_path: Path, vit: dict[str, Any], module: str) -> None:
    path = write(tmp_path / "longclip.npz", {module + name: array for name, array in with_positions(vit).items()})
    compare(path, "authors-long-clip", activation="quick_gelu")
    model, preprocess = numpyclip.load(path, activation="quick_gelu")
    assert (model.context_length, preprocess.size) == (POSITIONS, 32)
    assert model.tokenize(["a"]).shape == (1, POSITIONS)


def test_long_clip_s_tables_must_agree(tmp_path: Path, vit: dict[str, Any]) -> None:
    tensors = with_positions(vit)
    tensors["positional_embedding_res"] = tensors["positional_embedding_res"][:-1]
    with pytest.raises(
        CheckpointError, match=r"'positional_embedding_res' has shape \(247, 64\); expected \(248, 64\)"
    ):
        recognise(files_at(write(tmp_path / "longclip.npz", tensors)))


@pytest.mark.parametrize("module", ["", "module."])
def test_tiny_clip_s_modules_are_towers_with_gelu(tmp_path: Path, vit: dict[str, Any], module: str) -> None:
    path = write(tmp_path / "tinyclip.npz", by_tiny_clips_names(vit, module))
    compare(path, "authors-tiny-clip")
    assert recognise(files_at(path)).tokenizer().name == "open_clip"
    with pytest.raises(
        CheckpointError, match="as all of TinyCLIP's, the activation 'gelu', but 'quick_gelu' was passed"
    ):
        numpyclip.load(path, activation="quick_gelu")
