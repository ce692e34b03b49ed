"""Progress and summary of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from numpyclip.batch.job import FailedPart, Outcome, UnwrittenPart
from numpyclip.errors import NumPyCLIPError
from numpyclip.file_systems import without_secrets
from numpyclip.sources.part import Part

# A run ends when so many parts in a row could not be written, and none for so long; or at once if none ever was. An
# object store that is down for a while, or the full disk of one node, is no end of a long run.
_MOST_UNWRITTEN = 3
_MOST_SECONDS = 600.0


@dataclass(frozen=True)
class Progress:
    """Progress of a run.

    Attributes
    ----------
    parts : int
        Number of parts of the run.
    parts_done : int
    rows : int
        Embedded rows, including those of parts in flight.
    seconds : float
        Time since the first part was started.
    seconds_left : float or None
        Estimate, from the mean number of rows of complete parts; None before the first one is complete.
    """

    parts: int
    parts_done: int
    rows: int
    seconds: float
    seconds_left: float | None

    @property
    def rows_per_second(self) -> float:
        """The mean rate of all workers together."""
        return self.rows / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Summary:
    """Summary of a run.

    Attributes
    ----------
    destination : str
    parts : int
        Number of parts; with `shard`, of this share.
    parts_skipped : int
        Number of parts that were complete before.
    rows : int
        Number of rows that this run has written.
    errors : int
        Number of these rows without an embedding.
    failed : tuple of FailedPart
        Parts that were not written. The same call tries them again.
    seconds : float
    left_out : dict of str to int
        Number of files in folders that are not images, by suffix.
    """

    destination: str
    parts: int
    parts_skipped: int
    rows: int
    errors: int
    failed: tuple[FailedPart, ...]
    seconds: float
    left_out: dict[str, int]

    @property
    def rows_per_second(self) -> float:
        """The mean rate of all workers together, loading of the model included."""
        return self.rows / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return {**asdict(self), "rows_per_second": self.rows_per_second}


class Meter:
    """Counts outcomes of parts, and reports progress."""

    def __init__(
        self, parts: Sequence[Part], show: Callable[[Progress], object], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.rows = 0  # of complete parts
        self.errors = 0  # of these rows: those without an embedding
        self.failed: list[FailedPart] = []
        self._parts = len(parts)
        self._show = show
        self._clock = clock
        self._start = clock()
        self._in_flight: dict[int, int] = {}  # rows by the number of a part
        self._done = 0
        self._unwritten = 0  # parts since the last one that was written
        self._written = self._start  # when that was

    def on_rows(self, number: int, rows: int) -> None:
        """Take note of the rows of a part in flight."""
        self._in_flight[number] = rows
        self._show(self.progress())

    def end(self, outcome: Outcome) -> None:
        """Take note of a part that has ended; NumPyCLIPError if it seems that no other can be written."""
        self._in_flight.pop(outcome.number, None)
        if isinstance(outcome, FailedPart):
            self.failed.append(replace(outcome, source=without_secrets(outcome.source)))
        else:
            self._done += 1
            self.rows += outcome.rows
            self.errors += outcome.errors
            self._unwritten, self._written = 0, self._clock()
        self._show(self.progress())
        if isinstance(outcome, UnwrittenPart):
            self._unwritten += 1
            is_over = self._unwritten >= _MOST_UNWRITTEN and self._clock() - self._written >= _MOST_SECONDS
            if is_over or not self._done:
                raise NumPyCLIPError(f"{outcome.error} No part can be written. Run it again to continue.")

    def progress(self) -> Progress:
        """Return the progress of the run."""
        seconds, in_flight, left = self._clock() - self._start, sum(self._in_flight.values()), None
        ended = self._done + len(self.failed)
        if self.rows:
            rows_left = (self._parts - ended) * self.rows / self._done - in_flight
            left = max(rows_left, 0) * seconds / (self.rows + in_flight)
        return Progress(self._parts, ended, self.rows + in_flight, seconds, left)
