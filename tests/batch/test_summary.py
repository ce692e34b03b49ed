import json

import pytest

from numpyclip.batch.job import FailedPart, PartSummary, UnwrittenPart
from numpyclip.batch.summary import Meter, Progress, Summary
from numpyclip.errors import NumPyCLIPError
from numpyclip.sources.part import Part

PARTS = [Part(number, "files", "photos") for number in range(4)]
FULL = UnwrittenPart(2, "photos", "out: is full.")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rows_in_flight_count_until_their_part_is_done_or_has_failed() -> None:
    shown: list[Progress] = []
    meter = Meter(PARTS, shown.append, Clock())
    meter.on_rows(0, 32)
    meter.on_rows(1, 32)
    meter.on_rows(0, 64)
    assert [progress.rows for progress in shown] == [32, 64, 96]
    meter.end(PartSummary(0, 100, 3))
    meter.end(FailedPart(1, "photos", "gone"))
    assert (shown[-1].rows, shown[-1].parts_done, meter.rows, meter.errors) == (100, 2, 100, 3)
    assert meter.failed == [FailedPart(1, "photos", "gone")]


def test_where_nothing_was_written_what_cannot_be_is_the_end_of_the_run() -> None:
    meter = Meter(PARTS, lambda progress: None, Clock())
    meter.end(FailedPart(0, "photos", "gone"))
    with pytest.raises(NumPyCLIPError, match=r"out: is full\. No part can be written\. Run it again to continue\."):
        meter.end(FULL)
    assert meter.failed == [FailedPart(0, "photos", "gone"), FULL]


def test_later_it_is_the_end_only_if_several_fail_in_a_row_for_minutes() -> None:
    clock = Clock()
    meter = Meter(PARTS, lambda progress: None, clock)
    meter.end(PartSummary(0, 100, 0))
    for _ in range(1000):  # at once, on many workers
        meter.end(FULL)
    clock.now = 600.0
    meter.end(PartSummary(1000, 100, 0))
    clock.now = 1200.0
    meter.end(FULL)
    meter.end(FailedPart(0, "photos", "gone"))
    meter.end(FULL)
    with pytest.raises(NumPyCLIPError, match="No part can be written"):
        meter.end(FULL)


def test_a_part_that_is_begun_again_is_not_counted_twice() -> None:
    meter = Meter(PARTS, lambda progress: None, Clock())
    meter.on_rows(0, 64)
    meter.on_rows(0, 32)
    assert meter.progress().rows == 32


def test_the_time_left_is_that_of_parts_as_large_as_those_before() -> None:
    clock = Clock()
    meter = Meter(PARTS, lambda progress: None, clock)
    meter.on_rows(0, 100)
    clock.now = 10.0
    assert meter.progress().seconds_left is None
    meter.end(PartSummary(0, 100, 0))
    meter.on_rows(1, 100)
    clock.now = 20.0
    assert meter.progress() == Progress(4, 1, 200, 20.0, 20.0)
    assert meter.progress().rows_per_second == 10.0
    for number in range(1, 4):
        meter.end(PartSummary(number, 100, 0))
    assert meter.progress().seconds_left == 0


def test_a_shard_that_failed_is_named_without_its_signature() -> None:
    meter = Meter(PARTS, lambda progress: None, Clock())
    meter.end(FailedPart(0, "https://x.org/0.tar?X-Amz-Signature=secret", "gone"))
    assert meter.failed == [FailedPart(0, "https://x.org/0.tar", "gone")]


def test_nothing_is_divided_by_no_time() -> None:
    assert Meter(PARTS, lambda progress: None, Clock()).progress().rows_per_second == 0
    assert Summary("out", 0, 0, 0, 0, (), 0.0, {}).rows_per_second == 0


def test_a_summary_is_json() -> None:
    summary = Summary("out", 4, 1, 200, 2, (FailedPart(3, "a.tar", "gone"),), 4.0, {".pdf": 2})
    assert json.loads(json.dumps(summary.to_dict())) == {
        "destination": "out",
        "left_out": {".pdf": 2},
        "parts": 4,
        "parts_skipped": 1,
        "rows": 200,
        "errors": 2,
        "failed": [{"number": 3, "source": "a.tar", "error": "gone"}],
        "seconds": 4.0,
        "rows_per_second": 50.0,
    }
