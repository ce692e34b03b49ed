"""An index that was made with one copy of a model is searched with the others: OpenAI's, OpenCLIP's, transformers'."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from numpyclip import load
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.index import Index
from tests.model_copies import OPENAI, weights, write_copy

LIBRARIES = ("openai", "open_clip", "transformers")


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CLIP]:
    folder = tmp_path_factory.mktemp("copies")
    files = {"openai": OPENAI, **{name: write_copy(name, folder / name) for name in LIBRARIES[1:]}}
    return {name: load(file)[0] for name, file in files.items()}


def _make(place: Path, model: CLIP, photos: Path) -> Path:
    with Index(place, model, create=True) as index:
        index.update([photos])
    return place


@pytest.mark.parametrize("made_with", LIBRARIES)
def test_an_index_made_with_one_is_searched_with_each(
    copies: dict[str, CLIP], photos: Path, tmp_path: Path, made_with: str
) -> None:
    place = _make(tmp_path / "index", copies[made_with], photos)
    photo = next(photos.glob("*.png"))
    for model in copies.values():
        with Index(place, model) as index:
            [best] = index.search(model.embed_images(photo)[0], n=1)
            assert best.path == str(photo)
            assert best.cosine > 0.999


def test_their_fingerprints_say_what_they_are(copies: dict[str, CLIP]) -> None:
    found = {name: model.fingerprint for name, model in copies.items()}
    assert [one.file_dtype for one in found.values()] == ["float16", "float32", "float32"]
    assert [one.tokenizer.partition(" ")[0] for one in found.values()] == list(LIBRARIES)
    assert len({one.weights_float16 for one in found.values()}) == 1
    assert len(set(found.values())) == 3
    assert all(one.differences(other) == "" for one in found.values() for other in found.values())


@pytest.mark.parametrize("library", LIBRARIES[1:])
@pytest.mark.parametrize("part", [1.0, 1e-3])
def test_a_model_that_was_trained_further_is_refused(
    copies: dict[str, CLIP], photos: Path, tmp_path: Path, library: str, part: float
) -> None:
    name = "visual.proj"
    changed = {name: weights()[name] * np.float32(1 + part)}
    other, _ = load(write_copy(library, tmp_path / library, changed))
    place = _make(tmp_path / "index", copies["openai"], photos)
    with pytest.raises(InputError, match="holds embeddings of another model \\(weights: "):
        Index(place, other)


def test_rounding_hides_less_than_float16_can_tell(copies: dict[str, CLIP], tmp_path: Path) -> None:
    changed = {"visual.proj": weights()["visual.proj"] * np.float32(1 + 1e-4)}
    other, _ = load(write_copy("open_clip", tmp_path / "copy", changed))
    assert other.fingerprint.weights != copies["open_clip"].fingerprint.weights
    assert other.fingerprint.is_comparable(copies["openai"].fingerprint)


def _interpolation(folder: Path) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["interpolation"] = "bilinear"
    (folder / "open_clip_config.json").write_text(json.dumps(config))


def _activation(folder: Path) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["quick_gelu"] = False
    (folder / "open_clip_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(("change", "told"), [(_interpolation, "preprocess: "), (_activation, "architecture: ")])
def test_the_same_weights_used_in_another_way_are_refused(
    copies: dict[str, CLIP], tmp_path: Path, change: Callable[[Path], None], told: str
) -> None:
    folder = write_copy("open_clip", tmp_path / "copy")
    change(folder)
    other, _ = load(folder)
    for model in copies.values():
        assert model.fingerprint.differences(other.fingerprint).startswith(told)
        assert "weights" not in model.fingerprint.differences(other.fingerprint)


def _forget_new_facts(place: Path, model: CLIP) -> None:
    """Record its fingerprint as older versions did."""
    whole = model.fingerprint.to_json()
    older = {key: value for key, value in json.loads(whole).items() if key not in ("weights_float16", "file_dtype")}
    sql = "UPDATE meta SET value = replace(value, ?, ?), key = replace(key, ?, ?)"
    with Index(place, model) as index, index.store.writing(), index.store._database.transaction() as connection:
        connection.execute(sql, (whole, json.dumps(older)) * 2)


def test_an_index_of_an_older_version_is_compared_as_before(
    copies: dict[str, CLIP], photos: Path, tmp_path: Path
) -> None:
    place = _make(tmp_path / "index", copies["openai"], photos)
    with Index(place, copies["openai"]) as index, index.store.writing():
        index.store.remember_model(copies["openai"].fingerprint, '{"model": "a.pt"}')
    _forget_new_facts(place, copies["openai"])
    with pytest.raises(InputError, match="another model \\(preprocess: profile=default, not profile=open_clip"):
        Index(place, copies["open_clip"])
    with Index(place, copies["openai"]) as index:
        assert len(index.search(copies["openai"].embed_images(next(photos.glob("*.png")))[0], n=3)) == 3
        with index.store.writing():
            index.store.remember_model(copies["openai"].fingerprint, '{"model": "b.pt"}')
        assert index.store.model_name == '{"model": "b.pt"}'
        index.update([photos])  # which records what was missing
        assert index.store.model_name == '{"model": "b.pt"}'
    for model in copies.values():
        Index(place, model).close()
