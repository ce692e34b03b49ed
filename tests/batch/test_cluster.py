"""Parts on a cluster that is a fake: real ones, for minutes, are those of `test_cluster_nodes.py`."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from socket import gethostname
from types import SimpleNamespace
from typing import Any

import pytest

from numpyclip.batch import cluster, work
from numpyclip.batch.cluster import run_parts
from numpyclip.batch.job import FailedPart, Job, PartSummary, UnwrittenPart
from numpyclip.errors import InputError, MissingPackageError, ModelNotFoundError, NumPyCLIPError
from numpyclip.loader import load
from numpyclip.sources.part import Part, ReadOptions

PARTS = [Part(number, "webdataset", f"{number}.tar") for number in range(9)]
JOB = Job("tiny", (), ReadOptions("images"), "s3://bucket/out", batch_size=32, fingerprint="{}")


class RayError(Exception): ...


class RayTaskError(RayError): ...


class RuntimeEnvSetupError(RayError): ...


@dataclass
class FakeRay:
    """Runs a task when it is waited for: what its part's number maps to is returned, or raised."""

    cpus: int = 2
    joined: bool = False
    results: dict[int, Any] = field(default_factory=dict)
    refused: dict[str, Exception] = field(default_factory=dict)
    calls: list[Any] = field(default_factory=list)
    most_in_flight: int = 0
    rows: dict[int, int] = field(default_factory=dict)
    taken: int = 0

    exceptions = SimpleNamespace(
        RayError=RayError, RayTaskError=RayTaskError, RuntimeEnvSetupError=RuntimeEnvSetupError
    )

    def is_initialized(self) -> bool:
        return self.joined

    def init(self, address: str, **options: Any) -> None:
        self.calls.append((address, options.get("num_cpus")))
        if address in self.refused:
            raise self.refused[address]

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.cpus)} if self.cpus else {}

    def remote(self, function: Any = None, **options: Any) -> Any:
        if function is None:
            return partial(self.remote, **options)
        if isinstance(function, type):
            take = SimpleNamespace(remote=lambda: "rows")
            return SimpleNamespace(remote=lambda: SimpleNamespace(take=take))
        return SimpleNamespace(options=self._task)

    def _task(self, **options: Any) -> Any:
        self.calls.append(options)
        return SimpleNamespace(remote=lambda job, part, folder, reports: part.number)

    def wait(self, references: list[Any], num_returns: int = 1, timeout: float = 0) -> tuple[list[Any], list[Any]]:
        self.most_in_flight = max(self.most_in_flight, len(references))
        return references[:1], references[1:]

    def get(self, reference: Any, timeout: float | None = None) -> Any:
        if reference == "rows":
            self.taken += 1
            if self.taken == 1:
                raise RayError("the node of the actor has died")
            return self.rows
        result = self.results.get(reference, (PartSummary(reference, 1, 0), []))
        if isinstance(result, Exception):
            raise result
        return result

    def cancel(self, reference: int, force: bool) -> None:
        assert force
        self.calls.append(("cancel", reference))

    def kill(self, actor: Any) -> None:
        self.calls.append("kill")


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_task_oom_retries"):  # or else they stay set
        monkeypatch.setenv(name, "0")
    return ray


def ignore(number: int, rows: int) -> None: ...


def run(parts: Sequence[Part] = PARTS, workers: int | None = None, on: str = "ray") -> list[Any]:
    return list(run_parts(JOB, parts, workers, ignore, on))


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match=r'needs the package ray: pip install "numpyclip\[ray\]"'):
        run()
    assert run([]) == []


def test_parts_are_tasks_of_one_cpu_and_one_thread(ray: FakeRay) -> None:
    assert [outcome.number for outcome in run()] == list(range(9))
    options = ray.calls[1]
    assert (options["num_cpus"], options["max_retries"]) == (1, 3)
    assert options["runtime_env"]["env_vars"]["OPENBLAS_NUM_THREADS"] == "1"
    assert ray.calls[2:] == ["kill", "shutdown"]


@pytest.mark.parametrize("setting", [None, "0"])
def test_the_memory_monitor_does_not_have_a_part_done_again_for_ever(
    setting: str | None, ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "RAY_task_oom_retries"
    if setting is None:
        monkeypatch.delenv(name)
    run()
    assert os.environ[name] == (setting or "3")


@pytest.mark.parametrize(("cpus", "workers", "most"), [(2, None, 4), (2, 3, 3), (0, None, 2)])
def test_few_tasks_are_in_flight(cpus: int, workers: int | None, most: int, ray: FakeRay) -> None:
    ray.cpus = cpus
    assert len(run(workers=workers)) == 9
    assert ray.most_in_flight == most


def test_a_cluster_that_is_here_is_joined_or_else_one_is_started(ray: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    assert ray.calls[0] == ("auto", None)
    ray.refused["auto"] = ConnectionError("there is none")
    ray.calls.clear()
    run(workers=5)
    assert ray.calls[:2] == [("auto", None), ("local", 5)]
    ray.calls.clear()
    monkeypatch.setenv("RAY_ADDRESS", "local")
    run(workers=5)
    assert ray.calls[0] == ("local", 5)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with pytest.raises(InputError, match="ray: the Ray cluster cannot be joined: there is none"):
        run()
    ray.refused["10.0.0.1:6379"] = ray.refused["auto"] = Exception("The current node timed out during startup.")
    with pytest.raises(InputError, match="ray: the Ray cluster cannot be joined: The current node timed out"):
        run()


def test_a_client_is_connected_to_the_host(ray: FakeRay) -> None:
    run(on="ray://head:10001")
    assert ray.calls[0] == ("ray://head:10001", None)


def test_a_cluster_that_the_program_is_part_of_is_not_left(ray: FakeRay) -> None:
    ray.joined = True
    run()
    assert ray.calls[1:] == ["kill"]
    with pytest.raises(InputError, match=r"ray://head:10001: .* is part of a Ray cluster already; expected on='ray'"):
        run(on="ray://head:10001")


def test_a_part_whose_workers_die_fails_and_the_others_do_not(ray: FakeRay) -> None:
    ray.results[3] = RayError("The node was low on memory.\nRefer to the documentation")
    failed = "each of 4 workers ended within it, the last with: The node was low on memory."
    assert [outcome for outcome in run() if isinstance(outcome, FailedPart)] == [FailedPart(3, "3.tar", failed)]


def test_what_a_task_returns_is_yielded_raised_or_warned_of(ray: FakeRay) -> None:
    ray.results[0] = FailedPart(0, "0.tar", "gone"), [UserWarning("0.tar: is strange")]
    ray.results[1] = ModelNotFoundError("no model"), []
    outcomes = run_parts(JOB, PARTS, None, ignore)
    with pytest.warns(UserWarning, match="is strange"):
        assert next(outcomes) == FailedPart(0, "0.tar", "gone")
    with pytest.raises(ModelNotFoundError, match="no model"):
        next(outcomes)
    assert ray.calls[2:] == [("cancel", 2), ("cancel", 3), ("cancel", 4), "kill", "shutdown"]


def test_nodes_without_numpyclip_end_the_run(ray: FakeRay) -> None:
    ray.results[0] = RayTaskError("Traceback\nModuleNotFoundError: No module named 'numpyclip'")
    with pytest.raises(MissingPackageError, match=r"a node cannot run numpyclip.* No module named 'numpyclip'"):
        run()


def test_a_lost_connection_ends_the_run(ray: FakeRay) -> None:
    ray.results[0] = ConnectionError("closed")
    with pytest.raises(NumPyCLIPError, match=r"ray://h: the connection is lost \(closed\); run it again to continue"):
        run(on="ray://h")


def test_a_pipe_that_reports_break_is_not_taken_for_the_connection(ray: FakeRay) -> None:
    ray.results[0] = BrokenPipeError(32, "Broken pipe")
    with pytest.raises(BrokenPipeError):
        run()


def test_a_closed_iterator_ends_all_tasks(ray: FakeRay) -> None:
    outcomes = run_parts(JOB, PARTS, None, ignore)
    next(outcomes)
    outcomes.close()
    assert ray.calls[2:] == [("cancel", 1), ("cancel", 2), ("cancel", 3), "kill", "shutdown"]


def test_rows_are_reported_of_parts_in_flight_only(ray: FakeRay) -> None:
    ray.rows = {0: 32, 2: 16, 8: 1}
    reports: list[tuple[int, int]] = []
    outcomes = run_parts(JOB, PARTS, 3, lambda *words: reports.append(words))
    next(outcomes)
    assert reports == []  # the first time, they are lost
    next(outcomes)
    assert reports == [(2, 16)]


def test_reports_are_taken_once() -> None:
    reports = cluster._Rows()
    reports.add(3, 16)
    reports.add(3, 32)
    assert (reports.take(), reports.take()) == ({3: 32}, {})


@dataclass
class Actor:
    """A handle of the actor that takes reports."""

    taken: list[tuple[int, int]] = field(default_factory=list)

    @property
    def add(self) -> Any:
        remote = SimpleNamespace(remote=lambda *words: self.taken.append(words))
        return SimpleNamespace(options=lambda num_returns: remote)


@pytest.fixture
def in_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Run a task as a worker does, in another folder than the driver's."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    cluster._prepare.cache_clear()
    yield lambda job, part, actor: cluster._embed(job, part, str(tmp_path), actor)
    cluster._prepare.cache_clear()


def test_a_worker_does_its_part_in_the_drivers_folder(
    in_worker: Callable[..., Any], job: Job, parts: list[Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_ROWS_SECONDS", 3600.0)
    pytest.importorskip("pyarrow", reason="the extra numpyclip[parquet] is not installed")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "_manifest.json").touch()
    relative = replace(parts[0], paths=tuple(os.path.relpath(path, tmp_path) for path in parts[0].paths))
    actor = Actor()
    outcome, noted = in_worker(replace(job, destination="out"), relative, actor)
    assert (outcome.rows, outcome.errors, noted) == (4, 0, [])
    assert actor.taken == [(0, 2)]  # not again so soon
    assert (tmp_path / "out" / "part-00000.parquet").exists()


def test_a_worker_loads_the_model_once(
    in_worker: Callable[..., Any], job: Job, parts: list[Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "_manifest.json").touch()
    loaded: list[str] = []

    def counted(name: str, **options: Any) -> Any:
        loaded.append(name)
        return load(name, **options)

    monkeypatch.setattr(work, "load", counted)
    work.load_model.cache_clear()
    for part in parts[:2]:
        in_worker(job, part, Actor())
    assert loaded == ["tiny"]


def test_a_destination_that_is_not_shared_ends_the_run(
    in_worker: Callable[..., Any], job: Job, parts: list[Part]
) -> None:
    outcome, _ = in_worker(job, parts[0], Actor())
    assert isinstance(outcome, InputError)
    assert str(outcome).startswith("on node ")
    assert "has no _manifest.json; expected a folder that all nodes share" in str(outcome)


def test_a_part_that_cannot_be_written_names_the_node(
    in_worker: Callable[..., Any], parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "attempt_part", lambda *words: UnwrittenPart(0, "0.tar", "/tmp: is full."))
    outcome, _ = in_worker(JOB, parts[0], Actor())
    assert isinstance(outcome, UnwrittenPart)
    assert outcome.error == f"on node {gethostname()}: /tmp: is full."


def test_a_worker_returns_warnings(
    in_worker: Callable[..., Any], parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    def strange(job: Job, part: Part, report: object) -> FailedPart:
        for number in range(200):
            warnings.warn(f"{number}: is strange", UserWarning, stacklevel=1)
        return FailedPart(0, "0.tar", "gone")

    monkeypatch.setattr(cluster, "attempt_part", strange)
    outcome, noted = in_worker(JOB, parts[0], Actor())
    assert outcome == FailedPart(0, "0.tar", f"on node {gethostname()}: gone")
    assert [str(warning) for warning in noted] == [f"{number}: is strange" for number in range(100)]
