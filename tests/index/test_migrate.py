from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, StoreError
from numpyclip.index import Index
from numpyclip.index.migrate import migrate


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> CLIP:
    """Another model: the embedded one with half as many dimensions of an embedding."""
    return half_of_tiny(tmp_path_factory.mktemp("other") / "other.npz", shift=0)


@pytest.fixture(scope="module")
def third(tmp_path_factory: pytest.TempPathFactory) -> CLIP:
    """One with as many dimensions as the other, in another order."""
    return half_of_tiny(tmp_path_factory.mktemp("third") / "third.npz", shift=7)


def half_of_tiny(path: Path, shift: int) -> CLIP:
    with np.load(Path(numpyclip.__file__).parent / "data" / "tiny.npz") as data:
        arrays = {name: data[name] for name in data.files}
    half = arrays["text_projection"].shape[1] // 2
    for name in ("text_projection", "visual.proj", "visual.attnpool.c_proj.weight", "visual.attnpool.c_proj.bias"):
        if name in arrays:
            axis = 0 if "c_proj" in name else 1
            arrays[name] = np.roll(np.take(arrays[name], range(half), axis), shift, axis)
    np.savez(path, **arrays)
    model, _ = numpyclip.load(str(path), activation="quick_gelu")
    return model


def test_everything_is_embedded_anew_and_the_old_ones_searched_until_then(
    index: Index, photos: Path, other: CLIP, place: str
) -> None:
    index.update([photos])
    index.add_texts(["a bird", "a house"])
    with index.store.writing():
        steps = migrate(index.store, other, batch_size=2)
        assert [next(steps), next(steps)] == [2, 2]
        steps.close()  # as if the process had been killed
    assert len(index.search("a bird", 10)) == 6
    with index.store.writing():
        assert list(migrate(index.store, other, batch_size=2)) == [2, 2]  # the texts and two pictures were done
    with pytest.raises(InputError, match="embeddings of another model"):
        Index(place, index.model)
    with Index(place, other) as migrated:
        matches = migrated.search("a bird", 10)
        assert len(matches) == 6
        for match in matches:
            np.testing.assert_allclose(match.embedding, other.embed_images(str(match.path))[0], atol=2e-6)
        assert {match.text for match in migrated.search("a bird", modality="texts")} == {"a bird", "a house"}
        with migrated.store._database.reading() as connection:
            assert connection.execute("SELECT DISTINCT generation FROM vectors").fetchall() == [(2,)]
        if not place.startswith("postgresql"):
            assert not (Path(place) / "pictures-1").exists()
        assert migrated.update().unchanged == 6


def test_pictures_that_are_gone_are_reported_and_forgotten(index: Index, photos: Path, other: CLIP, place: str) -> None:
    index.update([photos])
    gone, changed, *_ = sorted(photos.glob("*.png"))
    gone.unlink()
    changed.write_bytes(changed.read_bytes() + b"more")
    told: list[str] = []
    with index.store.writing():
        list(migrate(index.store, other, report=told.append))
    assert sorted(problem.partition(": ")[0] for problem in told) == sorted([str(gone), str(changed)])
    with Index(place, other) as migrated:
        assert len(migrated.search("a bird", 10)) == 4


def test_of_a_picture_that_is_gone_nothing_is_left(index: Index, photos: Path, other: CLIP) -> None:
    index.update([photos])
    last = max(index.search("a bird", 10), key=lambda match: match.id)
    Path(str(last.path)).unlink()
    with index.store.writing():
        steps = migrate(index.store, other)
        assert next(steps) == 6
        steps.close()
    Image.new("RGB", (50, 50), "red").save(photos / "new.png")  # it may have the number of the one that is gone
    assert index.update().embedded == 1
    assert [len(index.search("a bird", n)) for n in range(1, 8)] == [1, 2, 3, 4, 5, 6, 6]


def test_there_must_be_something_to_migrate(index: Index, photos: Path, other: CLIP) -> None:
    with index.store.writing(), pytest.raises(StoreError, match="holds no embeddings yet"):
        next(migrate(index.store, other))
    index.update([photos])
    with index.store.writing(), pytest.raises(InputError, match="holds embeddings of this model"):
        next(migrate(index.store, index.model))


@pytest.mark.parametrize(
    "batches",
    [1, *(pytest.param(batches, marks=pytest.mark.exhaustive) for batches in (2, 3, 4))],
)
def test_nothing_of_an_interrupted_migration_is_kept_by_another_one(
    index: Index, photos: Path, other: CLIP, third: CLIP, place: str, batches: int
) -> None:
    index.update([photos])
    index.add_texts(["a bird", "a house"])
    with index.store.writing():
        steps = migrate(index.store, other, batch_size=2)
        for _ in range(batches):
            next(steps)
        steps.close()
        assert list(migrate(index.store, third, batch_size=2)) == [2, 2, 2, 2]  # all of it
    with Index(place, third) as migrated:
        for match in migrated.search("a bird", 10):
            np.testing.assert_allclose(match.embedding, third.embed_images(str(match.path))[0], atol=2e-6)
        for match in migrated.search("a bird", 10, modality="texts"):
            np.testing.assert_allclose(match.embedding, third.embed_texts([str(match.text)])[0], atol=2e-6)


def test_an_embedding_that_is_not_finite_is_reported_and_tried_again_later(
    index: Index, photos: Path, other: CLIP, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update([photos])
    real = type(other).embed_pixels

    def broken(model: CLIP, pixels: Any) -> np.ndarray:
        rows = np.array(list(real(model, pixels)))
        rows[0, 0] = np.nan
        return rows

    told: list[str] = []
    with monkeypatch.context() as patch, index.store.writing():
        patch.setattr(type(other), "embed_pixels", broken)
        list(migrate(index.store, other, report=told.append))
    assert len(told) == 1
    assert told[0].startswith(str(photos))
    assert "NaN or infinity" in told[0]
    with Index(place, other) as migrated:
        assert len(migrated.search("a bird", 10)) == 5
        assert migrated.update().embedded == 1
