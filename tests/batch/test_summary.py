import json

from numpyclip.batch.job import FailedPart, PartSummary
from numpyclip.batch.summary import Meter, Progress, Summary
from numpyclip.shards.part import Part

PARTS = [Part(number, "files", "photos") for number in range(4)]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rows_in_flight_count_until_their_part_is_done_or_has_failed() -> None:
    shown: list[Progress] = []
    meter = Meter(PARTS, shown.append, Clock())
    meter.report(0, 32)
    meter.report(1, 32)
    meter.report(0, 64)
    assert [progress.rows for progress in shown] == [32, 64, 96]
    meter.end(PartSummary(0, 100, 3))
    meter.end(FailedPart(1, "photos", "gone"))
    assert (shown[-1].rows, shown[-1].parts_done, meter.rows, meter.errors) == (100, 2, 100, 3)
    assert meter.failed == [FailedPart(1, "photos", "gone")]


def test_a_part_that_is_begun_again_is_not_counted_twice() -> None:
    meter = Meter(PARTS, lambda progress: None, Clock())
    meter.report(0, 64)
    meter.report(0, 32)
    assert meter.progress().rows == 32


def test_the_time_left_is_that_of_parts_as_large_as_those_before() -> None:
    clock = Clock()
    meter = Meter(PARTS, lambda progress: None, clock)
    meter.report(0, 100)
    clock.now = 10.0
    assert meter.progress().seconds_left is None
    meter.end(PartSummary(0, 100, 0))
    meter.report(1, 100)
    clock.now = 20.0
    assert meter.progress() == Progress(4, 1, 200, 20.0, 20.0)
    assert meter.progress().rows_per_second == 10.0
    for number in range(1, 4):
        meter.end(PartSummary(number, 100, 0))
    assert meter.progress().seconds_left == 0


def test_nothing_is_divided_by_no_time() -> None:
    assert Meter(PARTS, lambda progress: None, Clock()).progress().rows_per_second == 0
    assert Summary("out", 0, 0, 0, 0, (), 0.0).rows_per_second == 0


def test_a_summary_is_json() -> None:
    summary = Summary("out", 4, 1, 200, 2, (FailedPart(3, "a.tar", "gone"),), 4.0)
    assert json.loads(json.dumps(summary.to_dict())) == {
        "destination": "out",
        "parts": 4,
        "parts_skipped": 1,
        "rows": 200,
        "errors": 2,
        "failed": [{"number": 3, "source": "a.tar", "error": "gone"}],
        "seconds": 4.0,
        "rows_per_second": 50.0,
    }
