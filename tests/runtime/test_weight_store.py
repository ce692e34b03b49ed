import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CorruptCheckpointError
from numpyclip.families.openai import describe
from numpyclip.runtime import prepared, weight_store
from numpyclip.runtime.lazy import LazySequence
from numpyclip.runtime.towers import expected_tensors
from numpyclip.weights.archive import Archive, Bytes
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


def _with(checkpoint: Checkpoint, **arrays: np.ndarray) -> CLIP:
    changed = {**checkpoint.arrays, **{name.replace("__", "."): array for name, array in arrays.items()}}
    found = describe(replace(checkpoint, arrays=changed, identity=None), "quick_gelu")
    return CLIP.read(found.checkpoint, found.config, found.tokenizer)


UNUSED = "visual.attnpool.k_proj.bias"  # softmax does not depend on the bias of keys


def _damaged(array: np.ndarray, low_memory: bool) -> np.ndarray:
    damaged: np.ndarray = array.copy()
    damaged.flat[-1] = np.inf if low_memory else np.nan
    return damaged


@pytest.mark.parametrize(
    "name", ["vit-torchscript.pt", pytest.param("resnet-torchscript.pt", marks=pytest.mark.exhaustive)]
)
@pytest.mark.parametrize("low_memory", [False, True])
def test_a_number_that_is_not_finite_in_any_tensor_is_an_error_that_names_it(
    checkpoints: Path, name: str, low_memory: bool
) -> None:
    whole = replace(read(checkpoints / name), identity=None)
    config, tokenizer = (described := describe(whole, "quick_gelu")).config, described.tokenizer
    _, golden = load_golden(checkpoints, name)
    for tensor, _ in list(expected_tensors(whole, config))[:: 9 if low_memory else 1]:
        if tensor == UNUSED:
            continue
        arrays = {**whole.arrays, tensor: _damaged(whole.arrays[tensor], low_memory)}
        expected = rf"{re.escape(name)}: tensor '{re.escape(tensor)}' holds NaN or infinity"
        for _ in range(2):
            with pytest.raises(CorruptCheckpointError, match=expected):
                embeddings(CLIP.read(replace(whole, arrays=arrays), config, tokenizer, low_memory), golden)


def test_finite_numbers_that_become_infinite_are_an_error(checkpoints: Path) -> None:
    whole = read(checkpoints / "vit-state-dict.pt")
    scale = np.full_like(whole.arrays["visual.ln_post.weight"], 3e38)
    with np.errstate(all="ignore"), pytest.raises(CorruptCheckpointError, match=r"tensors of 'visual\.proj' are too"):
        _ = _with(whole, visual__ln_post__weight=scale, visual__proj=3 * whole.arrays["visual.proj"]).visual


def test_records_are_verified_once_and_prepared_weights_not_again(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    source = checkpoints / "vit-torchscript.pt"
    content = bytearray(source.read_bytes())
    file = tmp_path / "model.pt"
    file.write_bytes(content)
    golden = load_golden(checkpoints, source.name)[1]
    verified: list[str] = []
    check = Archive.checked_record

    def note(archive: Archive, name: str, tensor: Callable[[], str] | None = None) -> Bytes:
        verified.append(name)
        return check(archive, name, tensor)

    monkeypatch.setattr(Archive, "checked_record", note)
    for _ in range(2):
        model, _ = numpyclip.load(file)
        embeddings(model, golden)
        model.encode_image(golden["image"])
    stored = [name for name in verified if "/data/" in name]
    # that of the temperature is read at each start, and those of the sizes never
    assert len(set(stored)) == len(stored) - 1 == len(model.checkpoint.arrays)  # type: ignore[union-attr]

    content[content.index(model.checkpoint.arrays["visual.proj"].tobytes()) + 5] ^= 1  # type: ignore[union-attr]
    (tmp_path / "damaged.pt").write_bytes(content)
    damaged, _ = numpyclip.load(tmp_path / "damaged.pt")
    assert np.isfinite(damaged.encode_text(golden["text"])).all()
    for _ in range(2):
        with pytest.raises(CorruptCheckpointError, match=r"damaged\.pt: record '.*/data/[0-9]+' does not match"):
            damaged.encode_image(golden["image"])
    assert len(prepared.prepared_files()) == 3
