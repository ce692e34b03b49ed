import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index
from numpyclip.index.known import KnownEmbeddings
from numpyclip.tasks import Answerer, Tagger, ZeroShotClassifier, evaluate, find_duplicates, open_dataset


def test_files_are_known_by_path_size_and_time(
    index: Index, photos: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = KnownEmbeddings(index.store, tiny)
    paths = sorted(map(str, photos.rglob("*.png")))
    assert [known.of_file(path) for path in paths] == [None] * 6
    index.update([photos])
    known = KnownEmbeddings(index.store, tiny)
    found = [known.of_file(path) for path in paths]
    np.testing.assert_allclose([row for row in found if row is not None], tiny.embed_images(paths), atol=2e-6)
    monkeypatch.chdir(photos)
    first = Path(paths[0])
    embedding = known.of_file(first.relative_to(photos))
    np.testing.assert_array_equal(embedding, found[0])
    os.utime(first, (1, 1))
    assert [known.of_file(path) for path in (first, str(photos / "missing.png"), "nul\0.png")] == [None] * 3
    assert known.found == 7


def test_contents_are_known_wherever_they_are(index: Index, photos: Path, tiny: CLIP, tmp_path: Path) -> None:
    import hashlib

    index.update([photos])
    known = KnownEmbeddings(index.store, tiny)
    picture = next(photos.glob("*.png"))
    shutil.copy(picture, tmp_path / "copy.png")
    assert known.of_file(tmp_path / "copy.png") is None
    found = known.of_digest(hashlib.sha256(picture.read_bytes()).digest())
    np.testing.assert_array_equal(found, known.of_file(picture))
    assert known.of_digest(bytes(32)) is None
    assert known.found == 2
    assert index.store.counts().files == 6


def test_what_cannot_be_read_is_not_known(index: Index, photos: Path, tiny: CLIP) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    index.update([photos])
    assert KnownEmbeddings(index.store, tiny).of_file(photos / "broken.jpg") is None


def test_embeddings_of_another_model_are_not_taken(index: Index, photos: Path, tmp_path: Path) -> None:
    index.update([photos])
    with np.load(Path(numpyclip.__file__).parent / "data" / "tiny.npz") as data:
        arrays = {name: data[name] for name in data.files}
    arrays["text_projection"] = arrays["text_projection"] * np.float32(0.5)
    np.savez(tmp_path / "other.npz", **arrays)
    other, _ = numpyclip.load(str(tmp_path / "other.npz"), activation="quick_gelu")
    known = KnownEmbeddings(index.store, other)
    assert known.of_file(next(photos.glob("*.png"))) is None
    assert known.found == 0


def test_an_index_gives_what_it_has_and_embeds_the_rest(
    index: Index, tiny: CLIP, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update([photos / "more"])
    computed: list[int] = []

    def embed(model: CLIP, pixels: Sequence[Any], embed: Any = CLIP.embed_pixels) -> Any:
        computed.append(len(pixels))
        return embed(model, pixels)

    monkeypatch.setattr(CLIP, "embed_pixels", embed)
    paths = sorted(map(str, photos.rglob("*.png")))
    records = list(index.iter_embeddings([*paths, tmp_path / "missing.png"], on_error="skip"))
    assert sum(computed) == 3
    np.testing.assert_allclose([r.embedding for r in records[:6]], tiny.embed_images(paths), atol=2e-6)
    assert records[6].error is not None
    assert index.store.counts().files == 3


def test_tasks_take_the_embeddings_of_an_index(
    index: Index, photos: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update([photos])
    paths = sorted(photos.rglob("*.png"))
    expected = find_duplicates(tiny, paths)
    classifier = ZeroShotClassifier(tiny, open_dataset(photos).label_names)
    expected_metrics = evaluate(tiny, open_dataset(photos), classifier, on_error="skip").metrics
    monkeypatch.setattr(CLIP, "encode_image", None)
    assert find_duplicates(tiny, paths, known=index.known) == expected
    found = evaluate(tiny, open_dataset(photos), classifier, on_error="skip", known=index.known)
    np.testing.assert_equal(found.metrics, expected_metrics)
    embeddings = [record.embedding for record in index.iter_embeddings(paths)]
    assert len(Tagger(tiny)(embeddings)) == len(Answerer(tiny, "what is this?").answers(embeddings)) == len(paths)
