"""The pipeline from images to embeddings: order, errors, and embeddings that are known already."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CorruptCheckpointError, InputError, PictureError
from numpyclip.images.find import FileState
from numpyclip.images.metadata import ImageMetadata
from numpyclip.pipeline import PictureReader, Reading, iter_embeddings


@pytest.fixture
def files(tmp_path: Path, emoji: dict[str, Image.Image]) -> list[str]:
    """Five paths, of which the third is no picture and the last is missing."""
    paths = [str(tmp_path / f"{number}.png") for number in range(5)]
    for number, name in ((0, "bird"), (1, "house"), (3, "camera")):
        emoji[name].save(paths[number])
    Path(paths[2]).write_text("no picture")
    return paths


def computed(pixels: Sequence[Any]) -> np.ndarray:
    """The mean of the pixels, in the place of an embedding."""
    return np.array([[np.mean(p)] for p in pixels], np.float32)


def reading(value: int) -> Reading[str]:
    if value < 0:
        raise PictureError(f"{value}: cannot be read.")
    return Reading({"crop": np.full((1, 1, 3), value, np.uint8)}, extra=f"no. {value}")


def test_there_is_a_record_of_every_picture_in_order(tiny: CLIP, files: list[str]) -> None:
    records = list(tiny.iter_embeddings(files, 2, on_error="skip"))
    assert [record.picture for record in records] == files
    assert [record.position for record in records] == list(range(5))
    assert [record.error is None for record in records] == [record.embedding is not None for record in records]
    assert [record.position for record in records if record.error is not None] == [2, 4]
    expected = tiny.embed_images([files[0], files[1], files[3]])
    np.testing.assert_allclose([r.embedding for r in records if r.error is None], expected, atol=1e-6)


def test_an_error_names_the_picture_and_its_position_when_those_before_it_are_done(
    tiny: CLIP, files: list[str]
) -> None:
    done: list[object] = []
    with pytest.raises(PictureError, match=r"2\.png: cannot be read .* It is image 2, counted from 0\.$"):
        done.extend(tiny.iter_embeddings(iter(files), 8))
    with pytest.raises(InputError, match=r"not int\. It is image 1, counted from 0\.$"):
        tiny.embed_images([files[0], 5])  # type: ignore[list-item]
    with pytest.raises(PictureError, match=r"2\.png: cannot be read [^\n]*\)\.$"):
        tiny.embed_images(files[2])  # a single one needs no position
    records = tiny.iter_embeddings(files, 8)
    assert [next(records).picture, next(records).picture] == files[:2]
    with pytest.raises(PictureError):
        next(records)


def test_what_is_skipped_has_no_row_and_is_told(tiny: CLIP, files: list[str]) -> None:
    told: list[PictureError] = []
    rows = tiny.embed_images(files, batch_size=2, on_error=told.append)
    assert rows.shape == (3, 128)
    assert [str(error).partition(": ")[0] for error in told] == [files[2], files[4]]
    np.testing.assert_array_equal(tiny.embed_images(files, batch_size=2, on_error="skip"), rows)
    assert tiny.embed_images(files[2], on_error="skip").shape == (0, 128)


@pytest.mark.parametrize("wrong", ["ignore", None, 3])
def test_what_happens_to_errors_is_one_of_three(tiny: CLIP, wrong: Any) -> None:
    with pytest.raises(InputError, match=r"on_error is .*; expected 'raise', 'skip' or a callable"):
        tiny.iter_embeddings([], on_error=wrong)


def test_progress_is_given_the_pictures_whose_number_may_be_known(tiny: CLIP, files: list[str]) -> None:
    seen = []

    def progress(pictures: Any) -> Iterator[Any]:
        seen.append(len(pictures))
        for picture in pictures:
            seen.append(picture)
            yield picture

    list(tiny.iter_embeddings(files[:2], progress=progress))
    list(tiny.iter_embeddings(files[0], progress=progress))
    assert seen == [2, *files[:2], 1, files[0]]


def test_what_the_reader_takes_besides_comes_with_the_record() -> None:
    records = list(iter_embeddings(computed, [5, -1, 7], reading, batch_size=2, on_error="skip"))
    assert [(r.embedding, r.extra) for r in records] == [([5.0], "no. 5"), (None, None), ([7.0], "no. 7")]


def test_batches_are_whole_and_what_needs_no_embedding_does_not_wait() -> None:
    sizes = []

    def compute(pixels: Sequence[Any]) -> np.ndarray:
        sizes.append(len(pixels))
        return computed(pixels)

    def read(value: int) -> Reading[str]:
        return reading(value) if value % 2 else Reading(embedding=np.array([value], np.float32))

    records = iter_embeddings(compute, range(2, 16), read, batch_size=3)
    assert next(records).embedding == [2]
    assert sizes == []
    assert [float(record.embedding[0]) for record in records] == list(range(3, 16))
    assert sizes == [3, 3, 1]


def test_what_is_known_is_neither_read_nor_computed(tiny: CLIP, files: list[str]) -> None:
    class Everything:
        def of_file(self, path: Any) -> Any:
            return np.array([1], np.float32) if path == files[4] else None

        def of_digest(self, digest: bytes) -> Any:
            content = Path(files[1]).read_bytes()
            return np.array([2], np.float32) if digest == hashlib.sha256(content).digest() else None

    read = PictureReader(tiny.preprocess, known=Everything())
    pictures: list[Any] = [files[0], files[1], files[4], Path(files[1]).read_bytes()]
    records = list(iter_embeddings(tiny.embed_pixels, pictures, read, batch_size=3))
    assert [record.embedding.tolist() for record in records[1:]] == [[2], [1], [2]]
    assert all(record.views == {"crop": record.embedding} for record in records)
    np.testing.assert_allclose(records[0].embedding, tiny.embed_images(files[0])[0], atol=1e-6)


def test_content_is_hashed_once(tiny: CLIP, files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def of_file(self, path: Any) -> Any:
            return None

        def of_digest(self, digest: bytes) -> Any:
            return None

    hashed: list[bytes] = []
    sha256 = hashlib.sha256

    def counted(data: bytes) -> Any:
        hashed.append(data)
        return sha256(data)

    monkeypatch.setattr(hashlib, "sha256", counted)
    content = Path(files[0]).read_bytes()
    for known, with_metadata, times in ((Nothing(), True, 1), (Nothing(), False, 1), (None, True, 1), (None, False, 0)):
        read = PictureReader(tiny.preprocess, known=known, with_metadata=with_metadata)
        for picture in (files[0], content):
            hashed.clear()
            read(picture)
            assert hashed == [content] * times


def test_metadata_is_read_also_where_the_embedding_is_known(tiny: CLIP, files: list[str]) -> None:
    class First:
        def of_file(self, path: Any) -> Any:
            return np.array([1], np.float32) if path == files[0] else None

        def of_digest(self, digest: bytes) -> Any:
            return None

    for known in (First(), None):
        read = PictureReader(tiny.preprocess, known=known, with_metadata=True)
        one, other, content = (read(picture) for picture in (files[0], files[1], Path(files[1]).read_bytes()))
        assert (not one.pixels) == (known is not None)
        assert other.pixels.keys() == content.pixels.keys() == {"crop"}
        assert isinstance(one.extra, ImageMetadata) and isinstance(content.extra, ImageMetadata)
        assert other.extra == replace(content.extra, state=FileState.of(files[1]))
        assert one.extra.digest == hashlib.sha256(Path(files[0]).read_bytes()).digest()
        with pytest.raises(PictureError, match="cannot be read"):
            read("none.jpg")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_embedding_that_is_not_finite_is_an_error_that_names_its_picture(bad: float) -> None:
    def compute(pixels: Sequence[Any]) -> np.ndarray:
        return np.array([[1, bad if np.mean(p) == 7 else 0] for p in pixels], np.float32)

    pictures = ["5.png", "7.png", "8.png"]
    told: list[PictureError] = []
    records = list(
        iter_embeddings(compute, pictures, lambda name: reading(int(name[0])), batch_size=2, on_error=told.append)
    )
    assert [record.error is None for record in records] == [True, False, True]
    assert records[1].embedding is records[1].extra is None
    assert [str(error).partition(" has ")[0] for error in told] == ["7.png: its embedding"]
    with pytest.raises(PictureError, match=r"^image 1: its embedding has NaN or infinity"):
        list(iter_embeddings(compute, [5, 7], reading))
    with pytest.raises(PictureError, match=r"^0\.tar/7: its embedding has NaN or infinity"):
        list(iter_embeddings(compute, [5, 7], lambda value: replace(reading(value), name=f"0.tar/{value}")))


@pytest.mark.parametrize("bad", [np.nan, 0])
def test_where_no_embedding_is_finite_the_weights_are_damaged(bad: float) -> None:
    def compute(pixels: Sequence[Any]) -> np.ndarray:
        return np.array([[bad if np.mean(p) == 7 else 1] for p in pixels], np.float32)

    pictures = ["7.png", "7.png", "5.png"]
    with pytest.raises(CorruptCheckpointError, match=r"^7\.png: its embedding has NaN or infinity"):
        list(iter_embeddings(compute, pictures, lambda name: reading(int(name[0])), batch_size=2, on_error="skip"))
    records = iter_embeddings(
        compute, pictures[::-1], lambda name: reading(int(name[0])), batch_size=1, on_error="skip"
    )
    assert [record.error is None for record in records] == [True, False, False]
