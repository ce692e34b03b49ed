"""Embeddings of another precision are searched with a warning, and mixed only on request."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.index import Index
from numpyclip.index.exporting import export_embeddings
from numpyclip.index.importing import import_embeddings
from numpyclip.runtime.lazy import Lazy

NOTE = "embeddings are computed in float32, not in bfloat16: comparable"


@pytest.fixture
def rounded(tiny: CLIP) -> CLIP:
    """The model, as if an engine computed it in less precision."""
    fingerprint = replace(tiny.fingerprint, precision="bfloat16")
    return replace(tiny, _fingerprint=Lazy(lambda: fingerprint))


@pytest.fixture
def place(photos: Path, tiny: CLIP, tmp_path: Path) -> Path:
    with Index(tmp_path / "an.index", tiny, create=True) as index:
        index.update([photos])
    return tmp_path / "an.index"


def test_another_precision_may_search(place: Path, rounded: CLIP) -> None:
    with pytest.warns(UserWarning, match=NOTE), Index(place, rounded) as index:
        assert len(index.search("a bird", n=2)) == 2


def test_another_precision_may_not_add(place: Path, rounded: CLIP, photos: Path) -> None:
    refused = r"computed in float32, new ones would be in bfloat16\. Compute in the index's precision \(--precision\)"
    with pytest.warns(UserWarning, match=NOTE), Index(place, rounded) as index:
        for add in (lambda: index.add_texts("a bird"), index.update):
            with pytest.raises(InputError, match=refused):
                add()
        assert index.store.counts().texts == 0


def test_precisions_that_are_mixed_on_request_are_recorded(place: Path, rounded: CLIP, tiny: CLIP) -> None:
    with pytest.warns(UserWarning, match=NOTE), Index(place, rounded, mix_precisions=True) as index:
        assert index.add_texts("a bird") == 1
        assert index.store.fingerprint == replace(tiny.fingerprint, precision="bfloat16 and float32")
    for model in (rounded, tiny):  # both are there already, which needs no warning
        assert Index(place, model).add_texts([f"a house {model.fingerprint.precision}"]) == 1


def test_an_index_to_which_nothing_was_added_is_not_mixed(place: Path, rounded: CLIP, tiny: CLIP, photos: Path) -> None:
    with pytest.warns(UserWarning, match=NOTE), Index(place, rounded, mix_precisions=True) as index:
        assert index.update([photos]).embedded == 0
        assert index.add_texts([]) == 0
        assert index.store.fingerprint == tiny.fingerprint


def test_pictures_that_are_added_are_recorded_as_mixed(place: Path, rounded: CLIP, photos: Path) -> None:
    Image.new("RGB", (64, 64), "teal").save(photos / "teal.png")
    with pytest.warns(UserWarning, match=NOTE), Index(place, rounded, mix_precisions=True) as index:
        assert index.update().embedded == 1
        assert index.store.fingerprint == replace(rounded.fingerprint, precision="bfloat16 and float32")


def test_known_embeddings_are_those_of_the_same_precision(place: Path, rounded: CLIP, tiny: CLIP, photos: Path) -> None:
    (picture, *_) = photos.glob("*.png")
    assert Index(place, tiny).known.of_file(picture) is not None
    with pytest.warns(UserWarning, match=NOTE):
        assert Index(place, rounded).known.of_file(picture) is None
    with pytest.warns(UserWarning, match=NOTE), Index(place, rounded, mix_precisions=True) as index:
        index.add_texts("a bird")
    for model in (rounded, tiny):
        assert Index(place, model).known.of_file(picture) is None


def test_imported_embeddings_are_of_the_same_precision(place: Path, rounded: CLIP, tiny: CLIP, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with Index(place, tiny) as index:
        export_embeddings(index.store, tmp_path / "exported")
    refused = "exported: its embeddings are computed in float32, not in bfloat16"
    with Index(tmp_path / "other.index", rounded, create=True) as index, pytest.raises(InputError, match=refused):
        import_embeddings(index, tmp_path / "exported")


def test_embeddings_are_imported_by_the_precision_of_the_index(
    place: Path, rounded: CLIP, tiny: CLIP, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    with Index(place, tiny) as index:
        export_embeddings(index.store, tmp_path / "exported")
    with Index(tmp_path / "same.index", tiny, create=True) as index:
        index.add_texts("a bird")
    with pytest.warns(UserWarning, match=NOTE), Index(tmp_path / "same.index", rounded) as index:
        assert import_embeddings(index, tmp_path / "exported") == 6
        assert index.store.fingerprint == tiny.fingerprint
    with Index(tmp_path / "mixed.index", rounded, create=True, mix_precisions=True) as index:
        index.add_texts("a bird")
        assert import_embeddings(index, tmp_path / "exported") == 6
        assert index.store.fingerprint == replace(tiny.fingerprint, precision="bfloat16 and float32")
