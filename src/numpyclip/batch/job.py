"""The job that every worker gets besides its part, and the protocol of executors."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from numpyclip.destinations.write import Dtype, Layout
from numpyclip.images.decode_options import DRAFT, DecodeOptions
from numpyclip.images.views import View
from numpyclip.sources.part import Kind, Part, ReadOptions

BATCH_SIZE: dict[Kind, int] = {"images": 32, "texts": 1024}  # by default
MOST_RETRIES = 3  # of a part whose worker or node died


@dataclass(frozen=True)
class Job:
    """Settings that every worker needs besides its part: a few hundred bytes, which can be pickled.

    Attributes
    ----------
    model : str
        As `numpyclip.load` takes it.
    load_options : tuple of pairs
        Names and values of its other arguments.
    reading : ReadOptions
    destination : str
        A folder or URL.
    batch_size : int
        Inputs that are embedded together. A batch never crosses parts.
    fingerprint : str
        Of the model, as JSON, to be recorded in parts.
    layout : {"parquet", "clip-retrieval"}
    dtype : {"float16", "float32"}
        Of the embeddings that are written.
    decoding : DecodeOptions
        Of images.
    truncate : bool
        Truncate texts that are too long; otherwise they are errors.
    views : tuple of str or None
        Of images, with a row for each.
    """

    model: str
    load_options: tuple[tuple[str, Any], ...]
    reading: ReadOptions
    destination: str
    batch_size: int
    fingerprint: str
    layout: Layout = "parquet"
    dtype: Dtype = "float32"
    decoding: DecodeOptions = DRAFT
    truncate: bool = False
    views: tuple[View, ...] | None = None


@dataclass(frozen=True)
class PartSummary:
    """Summary of a complete part."""

    number: int
    rows: int
    errors: int


@dataclass(frozen=True)
class FailedPart:
    """A part that was not written; the next run tries it again."""

    number: int
    source: str
    error: str


class UnwrittenPart(FailedPart):
    """A part that was read, and could not be written: so may others be."""


def given_up(part: Part, last: str) -> FailedPart:
    """Give up a part that has ended all workers that tried it, the last one in the way that `last` says."""
    why = f"each of {1 + MOST_RETRIES} workers ended within it, the last with: {last}"
    return FailedPart(part.number, part.source, why)


Outcome: TypeAlias = PartSummary | FailedPart

OnRows: TypeAlias = Callable[[int, int], object]  # is given a part's number, and how many of its rows are embedded


class RunParts(Protocol):
    """An executor: `numpyclip.batch.local_pool.run_parts`, or that of a cluster."""

    def __call__(
        self, job: Job, parts: Sequence[Part], workers: int | None, on_rows: OnRows
    ) -> Generator[Outcome, None, None]:
        """Embed parts on workers of one CPU each; yield their outcomes, in the order in which they end.

        `workers` is the most parts in flight; None for as many as the executor keeps its CPUs busy with.

        `on_rows` is called with the rows of parts in flight, as far as the executor knows them. Closing the iterator
        ends all workers at once. An error that concerns every part (`numpyclip.batch.work.attempt_part` raises it) is
        raised.
        """
