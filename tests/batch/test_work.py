"""One part, with readers and destinations that are lists."""

import hashlib
import pickle
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from numpyclip.batch import work
from numpyclip.batch.job import FailedPart, Job, UnwrittenPart
from numpyclip.destinations.row import OutputRow
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import (
    CorruptCheckpointError,
    EngineError,
    InputError,
    MissingPackageError,
    ModelNotFoundError,
    NumPyCLIPError,
)
from numpyclip.file_systems import CredentialsError
from numpyclip.images.find import FileState
from numpyclip.model.ops import Array
from numpyclip.pipeline import PictureReader
from numpyclip.runtime import prepared
from numpyclip.sources.part import Kind, Part, ReadOptions, Row

PART = Part(7, "files", "photos")


@dataclass
class Kept:
    """A destination that keeps rows."""

    rows: list[OutputRow] = field(default_factory=list)

    def done(self) -> set[int]:
        return set()

    def write(self, number: int, rows: Iterable[OutputRow]) -> tuple[int, int]:
        assert number == PART.number
        self.rows = list(rows)
        return len(self.rows), sum(row.embedding is None for row in self.rows)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    kept = Kept()
    monkeypatch.setattr(work, "open_destination", lambda *words: kept)
    return kept


def reads(monkeypatch: pytest.MonkeyPatch, *rows: Row) -> None:
    monkeypatch.setattr(work, "read_part", lambda part, options: iter(rows))


@pytest.fixture
def texts() -> Job:
    return Job("tiny", (), ReadOptions("texts"), "out", batch_size=2, fingerprint="{}")


def test_images_become_rows_in_order_with_their_columns_and_errors(
    kept: Kept, job: Job, bird: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        Row("0.tar/a", bird.read_bytes(), {"caption": "a bird"}),
        Row("0.tar/b", b"no image", {"caption": "b"}),
        Row("0.tar/c", None, {}, "0.tar: is cut short."),
        Row(str(bird), str(bird), {}),
    ]
    reads(monkeypatch, *rows)
    summary = work.embed_part(job, PART)
    assert (summary.number, summary.rows, summary.errors) == (7, 4, 2)
    assert [(row.key, row.columns) for row in kept.rows] == [(row.key, row.columns) for row in rows]
    digest = hashlib.sha256(bird.read_bytes()).digest()
    metadata = [row.metadata for row in kept.rows]
    assert [each and (each.digest, each.state) for each in metadata] == [
        (digest, None),
        None,
        None,
        (digest, FileState.of(bird)),
    ]
    for row in kept.rows[::3]:
        assert row.embedding is not None
        np.testing.assert_allclose(row.embedding, tiny.embed_images(bird, draft=True)[0], atol=1e-6)
    assert [row.error and row.error[:16] for row in kept.rows] == [None, "0.tar/b: cannot ", "0.tar: is cut sh", None]
    assert kept.rows[1].embedding is None


class Content(bytes):
    """Counts how many there are."""

    alive: ClassVar[int] = 0
    most: ClassVar[int] = 0

    def __init__(self, *_: object) -> None:
        Content.alive += 1
        Content.most = max(Content.most, Content.alive)

    def __del__(self) -> None:
        Content.alive -= 1


@pytest.mark.parametrize(("size", "most"), [(8, 16), (100, 5)])
def test_contents_do_not_wait_for_what_becomes_of_them(
    size: int, most: int, kept: Kept, job: Job, bird: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images that cannot be decoded wait in hundreds for one that can, and large ones are read one by one."""
    monkeypatch.setattr(work, "LARGE", 50)
    monkeypatch.setattr(Content, "most", 0)
    first = Row("first", str(bird), {})
    rows = (first if number == 0 else Row(str(number), Content(b"n" * size), {}) for number in range(100))
    monkeypatch.setattr(work, "read_part", lambda part, options: rows)
    assert work.embed_part(replace(job, batch_size=12), PART).errors == 99
    assert Content.alive == 0
    assert Content.most <= most


def test_texts_become_rows_and_those_that_are_too_long_errors(
    kept: Kept, texts: Job, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads(
        monkeypatch,
        *(Row(f"a.parquet/{number}", text, {}) for number, text in enumerate(["a dog", "dog " * 100, "a cat"])),
        Row("a.parquet/4", None, {}, "is no text"),
    )
    assert work.embed_part(texts, PART).errors == 2
    dog, long, cat, wrong = kept.rows
    assert dog.embedding is not None and cat.embedding is not None
    np.testing.assert_allclose([dog.embedding, cat.embedding], tiny.embed_texts(["a dog", "a cat"]), atol=1e-6)
    assert str(long.error).endswith("expected at most 77 tokens.")
    assert (long.embedding, wrong.embedding, wrong.error) == (None, None, "is no text")
    work.embed_part(replace(texts, truncate=True), PART)
    assert kept.rows[1].error is None


def not_finite(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> None:
    """Let the embeddings of some texts, which are counted from here, have NaN."""
    encode, position = CLIP.encode_text, count()

    def encoded(model: CLIP, ids: NDArray[np.integer]) -> Array:
        embeddings = encode(model, ids)
        for row in embeddings:
            if next(position) in numbers:
                row[:] = np.nan
        return embeddings

    monkeypatch.setattr(CLIP, "encode_text", encoded)


def test_a_text_whose_embedding_is_not_finite_is_an_error_of_its_row(
    kept: Kept, texts: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads(monkeypatch, *(Row(f"a.txt/{number}", text, {}) for number, text in enumerate(["a dog", "a cat", "a bee"])))
    not_finite(monkeypatch, 1, 2)  # the latter alone in its batch
    assert work.embed_part(texts, PART).errors == 2
    assert [row.error and row.error[:29] for row in kept.rows] == [
        None,
        "a.txt/1: its embedding has Na",
        "a.txt/2: its embedding has Na",
    ]


def test_where_no_text_has_a_finite_embedding_the_weights_are_damaged(
    kept: Kept, texts: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads(monkeypatch, Row("a.txt/0", "a dog", {}), Row("a.txt/6", "a cat", {}))
    not_finite(monkeypatch, 0, 1)
    with pytest.raises(CorruptCheckpointError, match=r"a\.txt/0: its embedding has NaN"):
        work.embed_part(texts, PART)


def test_a_text_is_tokenized_once(kept: Kept, texts: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    reads(monkeypatch, Row("0", "a dog", {}), Row("1", "a cat", {}))
    tokenized: list[object] = []
    tokenize = CLIP.tokenize

    def counted(model: CLIP, texts: str, truncate: bool) -> NDArray[np.int32]:
        tokenized.append(texts)
        return tokenize(model, texts, truncate)

    monkeypatch.setattr(CLIP, "tokenize", counted)
    work.embed_part(texts, PART)
    assert tokenized == ["a dog", "a cat"]


def test_a_part_without_rows_is_written(kept: Kept, texts: Job, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    reads(monkeypatch)
    assert work.embed_part(job, PART).rows == work.embed_part(texts, PART).rows == 0


def test_rows_are_reported_batch_by_batch(kept: Kept, texts: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    reads(monkeypatch, *(Row(str(number), "a", {}) for number in range(5)))
    reports: list[tuple[int, int]] = []
    work.embed_part(texts, PART, lambda *words: reports.append(words))
    assert reports == [(7, 2), (7, 4)]


def test_what_keeps_a_part_from_being_read_is_no_end_of_the_run(
    kept: Kept, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(part: Part, options: ReadOptions) -> Iterator[Row]:
        yield Row("a", None, {}, "error")
        raise InputError("photos: is not there.")

    monkeypatch.setattr(work, "read_part", broken)
    assert work.attempt_part(job, PART) == FailedPart(7, "photos", "photos: is not there.")
    assert kept.rows == []


def test_a_worker_that_does_not_see_files_does_not_complete_their_part(
    kept: Kept, job: Job, bird: Path, tmp_path: Path
) -> None:
    gone, none = str(tmp_path / "gone.png"), str(tmp_path / "none.png")
    outcome = work.attempt_part(job, Part(7, "files", "photos", paths=(gone, none)))
    assert isinstance(outcome, FailedPart)
    assert outcome.error.startswith(f"photos: none of 2 files can be opened, such as {gone}: cannot be read (No such")
    assert kept.rows == []
    (tmp_path / "none.png").write_bytes(b"no image")
    for other in (str(bird), none):
        outcome = work.attempt_part(job, Part(7, "files", "photos", paths=(gone, other)))
        assert not isinstance(outcome, FailedPart)
        assert outcome.rows == 2


def test_what_concerns_the_model_is_one(kept: Kept, job: Job, bird: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*words: object) -> None:
        raise CorruptCheckpointError("weights: are damaged.")

    reads(monkeypatch, Row("a", str(bird), {}))
    monkeypatch.setattr(CLIP, "embed_pixels", damaged)
    with pytest.raises(CorruptCheckpointError):
        work.attempt_part(job, PART)
    with pytest.raises(ModelNotFoundError):
        work.attempt_part(replace(job, model="no such model"), PART)


@pytest.mark.parametrize("error", [CorruptCheckpointError, EngineError, MissingPackageError, CredentialsError])
def test_what_concerns_all_parts_is_raised(
    error: type[Exception], kept: Kept, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(part: Part, options: ReadOptions) -> Iterator[Row]:
        raise error("why")

    monkeypatch.setattr(work, "read_part", raising)
    with pytest.raises(error, match="why"):
        work.attempt_part(job, PART)


def test_what_cannot_be_written_is_no_end_of_the_run(kept: Kept, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int, rows: Iterable[OutputRow]) -> tuple[int, int]:
        raise NumPyCLIPError("out: cannot be written (No space left on device).")

    reads(monkeypatch)
    monkeypatch.setattr(kept, "write", full)
    outcome = work.attempt_part(job, PART)
    assert outcome == UnwrittenPart(7, "photos", "out: cannot be written (No space left on device).")


def test_an_unforeseen_error_is_one_of_its_part(kept: Kept, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "read_part", lambda part, options: 1 // 0)
    assert work.attempt_part(job, PART) == FailedPart(
        7, "photos", "ZeroDivisionError: integer division or modulo by zero"
    )


def test_a_model_is_loaded_once(kept: Kept, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    reads(monkeypatch)
    work.embed_part(job, PART)
    monkeypatch.setattr(work, "load", None)
    assert work.embed_part(pickle.loads(pickle.dumps(job)), PART).rows == 0


@pytest.mark.parametrize(("kind", "tower"), [("images", "visual"), ("texts", "text")])
def test_one_process_prepares_weights_and_later_ones_do_not_wait(
    kind: Kind, tower: str, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    locks: list[Path] = []

    def lock(path: Path) -> AbstractContextManager[None]:
        locks.append(path)
        return nullcontext()

    monkeypatch.setattr(work, "exclusive", lock)
    kept = []
    for _ in range(3):
        work.load_model.cache_clear()
        work.share_weights(replace(job, reading=ReadOptions(kind)))
        assert [f"-{tower}-" in file.name for file in prepared.prepared_files()] == [True]
        kept.append(work.load_model.cache_info().currsize)
    assert len(locks) == 1
    assert kept == [0, 1, 1]  # the first does not keep what it has made, but maps the file as the others do


def test_a_job_is_small(job: Job) -> None:
    assert len(pickle.dumps(job)) < 1000


def test_each_view_is_a_row_beside_which_the_columns_of_the_source_stay(tiny: CLIP, bird: Path) -> None:
    rows = [Row(str(bird), str(bird), {"view": "front", "n": 1}), Row("none.png", "none.png", {})]
    read = PictureReader(tiny.preprocess, views=("crop", "tiles"))
    found = [each for pair in work.embed_images(tiny, rows, read, 2) for each in work.view_rows(*pair, named=True)]
    assert [dict(row.columns) for row in found] == [{"view": "crop", "source_view": "front", "n": 1}, {"view": None}]
    assert [row.error is None for row in found] == [True, False]
    plain, _ = work.embed_images(tiny, rows, PictureReader(tiny.preprocess), 2)
    (row,) = work.view_rows(*plain, named=False)
    assert row.columns == {"view": "front", "n": 1}
