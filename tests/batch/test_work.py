"""One part, with readers and destinations that are lists."""

import hashlib
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from numpyclip.batch import work
from numpyclip.batch.job import FailedPart, Job
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CorruptCheckpointError, InputError, ModelNotFoundError, NumPyCLIPError
from numpyclip.images.find import FileState
from numpyclip.shards.part import OutputRow, Part, ReadOptions, Row

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
    return Job("tiny", (), ReadOptions("texts"), "out", batch_size=2)


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


def test_what_concerns_the_model_is_one(kept: Kept, job: Job, bird: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*words: object) -> None:
        raise CorruptCheckpointError("weights: are damaged.")

    reads(monkeypatch, Row("a", str(bird), {}))
    monkeypatch.setattr(CLIP, "embed_pixels", damaged)
    with pytest.raises(CorruptCheckpointError):
        work.attempt_part(job, PART)
    with pytest.raises(ModelNotFoundError):
        work.attempt_part(replace(job, model="no such model"), PART)


def test_what_cannot_be_written_is_the_end_of_the_run(kept: Kept, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int, rows: Iterable[OutputRow]) -> tuple[int, int]:
        raise NumPyCLIPError("out: cannot be written (No space left on device).")

    reads(monkeypatch)
    monkeypatch.setattr(kept, "write", full)
    with pytest.raises(NumPyCLIPError, match="No space"):
        work.attempt_part(job, PART)


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


def test_a_job_is_small(job: Job) -> None:
    assert len(pickle.dumps(job)) < 1000
