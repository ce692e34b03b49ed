"""Parts on processes of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from threadpoolctl import threadpool_limits

from numpyclip.batch.job import FailedPart, Job, Report
from numpyclip.batch.work import attempt_part
from numpyclip.shards.part import Part, PartSummary


def run_parts(job: Job, parts: Sequence[Part], workers: int, report: Report) -> Iterator[PartSummary | FailedPart]:
    """Embed parts on local processes; with one worker or part, in this one: see `numpyclip.batch.job.RunParts`."""
    for part in parts:
        with threadpool_limits(1, user_api="blas"):  # as in a worker, so that embeddings are equal bit for bit
            outcome = attempt_part(job, part, report)
        yield outcome
