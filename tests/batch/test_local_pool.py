"""Real processes, some of which are killed."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from numpyclip.batch import local_pool
from numpyclip.batch.job import FailedPart, Job, PartSummary
from numpyclip.batch.local_pool import run_parts
from numpyclip.errors import ModelNotFoundError, NumPyCLIPError
from numpyclip.sources.part import Part
from tests.batch.conftest import Read

pytest.importorskip("pyarrow", reason="the extra numpyclip[parquet] is not installed")


def ignore(number: int, rows: int) -> None: ...


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that are started."""
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            started.append(self)

    monkeypatch.setattr("numpyclip.batch.local_pool.subprocess.Popen", Recorded)
    return started


def worker_does(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let workers only do what the code says, which replaces the embedding of a part."""
    lines = "".join(f"    {line}\n" for line in code.splitlines())
    attempt = f"def attempt(job, part, report):\n{lines}    return PartSummary(part.number, 0, 0)\n"
    imports = "import os, signal, sys, warnings; from numpyclip.batch import worker\n"
    imports += "from numpyclip.batch.job import PartSummary\n"
    program = local_pool._PROGRAM.replace("main()\n", f"{imports}{attempt}worker.attempt_part = attempt\nmain()\n")
    monkeypatch.setattr(local_pool, "_PROGRAM", program)


def test_processes_write_what_this_process_does_bit_for_bit(
    job: Job, parts: list[Part], tmp_path: Path, read_rows: Read, processes: list[subprocess.Popen[bytes]]
) -> None:
    here = replace(job, destination=str(tmp_path / "here"))
    assert [outcome.number for outcome in run_parts(here, parts, 1, ignore)] == list(range(6))
    assert processes == []
    reports: list[tuple[int, int]] = []
    outcomes = list(run_parts(job, parts, 2, lambda *words: reports.append(words)))
    assert sorted((outcome.number, type(outcome)) for outcome in outcomes) == [(n, PartSummary) for n in range(6)]
    assert sorted(reports) == [(number, rows) for number in range(6) for rows in (2, 4)]
    assert read_rows(tmp_path / "out") == read_rows(tmp_path / "here")
    assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)


def test_one_part_starts_no_process(job: Job, parts: list[Part], processes: list[subprocess.Popen[bytes]]) -> None:
    assert len(list(run_parts(job, parts[:1], 8, ignore))) == 1
    assert list(run_parts(job, [], None, ignore)) == []
    assert processes == []


def test_workers_have_one_thread(job: Job, parts: list[Part], monkeypatch: pytest.MonkeyPatch) -> None:
    worker_does(
        monkeypatch,
        "from numpyclip.batch.job import FailedPart; from numpyclip.runtime import threads\n"
        "return FailedPart(part.number, '', str(threads.count()))",
    )
    assert {outcome.error for outcome in run_parts(job, parts, 2, ignore) if isinstance(outcome, FailedPart)} == {"1"}


def test_workers_run_nothing_of_the_current_folder(
    job: Job, parts: list[Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pickle", "struct", "copyreg", "io"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    worker_does(monkeypatch, "pass")
    assert len(list(run_parts(job, parts, 2, ignore))) == 6


@pytest.mark.parametrize("moment", [2, *(pytest.param(moment, marks=pytest.mark.exhaustive) for moment in (1, 3, 5))])
def test_a_killed_worker_is_replaced_and_its_part_done_again(
    moment: int,
    job: Job,
    parts: list[Part],
    tmp_path: Path,
    read_rows: Read,
    processes: list[subprocess.Popen[bytes]],
) -> None:
    reports: list[int] = []

    def kill(number: int, rows: int) -> None:
        reports.append(number)
        if len(reports) == moment:
            for process in processes:
                process.kill()

    outcomes = list(run_parts(job, parts, 2, kill))
    assert sorted((outcome.number, type(outcome)) for outcome in outcomes) == [(n, PartSummary) for n in range(6)]
    assert [outcome for outcome in outcomes if isinstance(outcome, FailedPart)] == []
    assert 2 < len(processes) <= 4
    here = replace(job, destination=str(tmp_path / "here"))
    list(run_parts(here, parts, 1, ignore))
    assert read_rows(tmp_path / "out") == read_rows(tmp_path / "here")


def test_a_part_that_ends_every_worker_fails_and_the_others_do_not(
    job: Job, parts: list[Part], monkeypatch: pytest.MonkeyPatch, processes: list[subprocess.Popen[bytes]]
) -> None:
    worker_does(monkeypatch, "if part.number == 1: os.kill(os.getpid(), signal.SIGKILL)")
    outcomes = sorted(run_parts(job, parts, 2, ignore), key=lambda outcome: outcome.number)
    assert [type(outcome) for outcome in outcomes].count(PartSummary) == 5
    assert isinstance(failed := outcomes[1], FailedPart)
    assert "each of 4 workers ended within it, the last with: signal 9 (Killed)" in failed.error
    assert len(processes) == 5


def test_an_error_of_the_model_ends_the_run(
    job: Job, parts: list[Part], monkeypatch: pytest.MonkeyPatch, processes: list[subprocess.Popen[bytes]]
) -> None:
    worker_does(monkeypatch, "from numpyclip.errors import ModelNotFoundError as Missing; raise Missing('no model')")
    with pytest.raises(ModelNotFoundError, match="no model"):
        list(run_parts(job, parts, 2, ignore))
    assert all(process.poll() is not None for process in processes)


def test_warnings_of_workers_are_given_here(job: Job, parts: list[Part], monkeypatch: pytest.MonkeyPatch) -> None:
    worker_does(monkeypatch, "print('no reply'); warnings.warn(f'{part.source}: is strange', UserWarning)")
    with pytest.warns(UserWarning, match="pictures: is strange"):
        assert len(list(run_parts(job, parts, 2, ignore))) == 6


def test_an_interrupt_ends_all_workers_at_once(
    job: Job, parts: list[Part], monkeypatch: pytest.MonkeyPatch, processes: list[subprocess.Popen[bytes]]
) -> None:
    worker_does(monkeypatch, "report(part.number, 1)")

    def interrupt(number: int, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run_parts(job, parts, 2, interrupt))
    assert {process.poll() for process in processes} == {-signal.SIGKILL}


def test_a_run_that_nobody_waits_for_any_more_ends(
    job: Job, parts: list[Part], monkeypatch: pytest.MonkeyPatch, processes: list[subprocess.Popen[bytes]]
) -> None:
    worker_does(monkeypatch, "pass")
    outcomes = run_parts(job, parts, 2, ignore)
    next(outcomes)
    outcomes.close()
    assert all(process.poll() is not None for process in processes)


def test_workers_that_never_begin_are_not_tried_for_every_part(
    job: Job, parts: list[Part], monkeypatch: pytest.MonkeyPatch, processes: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setattr(local_pool, "_PROGRAM", "raise SystemExit(7)")
    with pytest.raises(NumPyCLIPError, match="a worker ended with exit status 7"):
        list(run_parts(job, parts, 2, ignore))
    assert len(processes) <= 2


def test_a_process_that_cannot_be_started_is_an_error(
    job: Job, parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(FileNotFoundError):
        list(run_parts(job, parts, 2, ignore))
