"""Parts on a Ray cluster: tasks of one CPU and one thread each, retried if a worker or its node dies.

Ray tasks, not Ray Data: a task reads, embeds and writes a whole part, so there are no blocks of rows that Ray Data
would queue, pass on and spill. Only parts and summaries are sent, and the object store stays almost empty.
"""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from socket import gethostname
from typing import Any, TypeAlias, cast

from numpyclip.batch.job import MOST_RETRIES, FailedPart, Job, OnRows, Outcome, given_up
from numpyclip.batch.work import ONE_THREAD, attempt_part, filter_warnings, share_weights
from numpyclip.destinations.manifest import NAME
from numpyclip.engines.processor import cores
from numpyclip.errors import InputError, MissingPackageError, NumPyCLIPError
from numpyclip.extras import missing
from numpyclip.file_systems import is_url
from numpyclip.remote import exists, join
from numpyclip.sources.part import Part

_Returned: TypeAlias = tuple[Outcome | Exception, list[Warning | str]]

_TASKS_PER_CPU = 2  # in flight: one that runs, and one that is there when it ends
_MOST_WARNINGS = 100  # of a part
_ROWS_SECONDS = 1.0  # between two messages of a worker, of which there may be thousands
_STORE_BYTES = 80 * 2**20  # of a cluster that is started here: about the least that Ray accepts


def run_parts(
    job: Job, parts: Sequence[Part], workers: int | None, on_rows: OnRows, on: str = "ray"
) -> Generator[Outcome, None, None]:
    """Embed parts on a Ray cluster: see `numpyclip.batch.job.RunParts`.

    Parameters
    ----------
    job : Job
    parts : sequence of Part
    workers : int or None
        The most tasks in flight; None for two for each CPU of the cluster, as nodes come and go.
    on_rows : callable
    on : str, default="ray"
        ``"ray"`` for the cluster that ``RAY_ADDRESS`` names or this machine is part of; if there is none, or it is
        ``local``, for one on this machine that ends with the run. ``"ray://host:10001"`` for a cluster's Ray client.

    Raises
    ------
    InputError
        If the cluster cannot be joined.
    MissingPackageError
        If Ray is not installed, or numpyclip is not on a node.
    NumPyCLIPError
        If the model cannot be loaded or run, or the connection to the cluster is lost.
    """
    if not parts:
        return
    with _joined(on, workers):
        run = _Run(job, on_rows)
        try:
            yield from run.outcomes(parts, workers)
        except ConnectionError as error:
            if type(error) is not ConnectionError:  # which is the Ray client's; a broken pipe is of `on_rows`
                raise
            raise NumPyCLIPError(f"{on}: the connection is lost ({error}); run it again to continue.") from error
        finally:
            run.end()


@contextlib.contextmanager
def _joined(on: str, workers: int | None) -> Iterator[None]:
    """Join or start a cluster, and leave it at the end, unless this program had joined it before."""
    # Ray counts tasks apart that its memory monitor kills, by default without end. It is read with Ray.
    os.environ.setdefault("RAY_task_oom_retries", str(MOST_RETRIES))
    try:
        import ray
    except ImportError as error:
        raise missing("a cluster needs the package ray", "ray") from error
    if ray.is_initialized():
        if on != "ray":
            raise InputError(
                f"{on}: this process is part of a Ray cluster already; expected on='ray', for that one. To join "
                "another, call ray.shutdown() before."
            )
        yield
        return
    try:
        _join(on, workers)
    except Exception as error:  # which is the class that Ray itself raises where a node does not start in time
        raise InputError(f"{on}: the Ray cluster cannot be joined: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _join(on: str, workers: int | None) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}  # what workers print goes to stdout
    if on != "ray":
        ray.init(on, **quiet)
        return
    address = os.environ.get("RAY_ADDRESS", "")
    if address != "local":
        with contextlib.nullcontext() if address else contextlib.suppress(ConnectionError):
            ray.init("auto", **quiet)
            return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anyone unless asked for
    here = {"num_cpus": workers or cores(), "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    ray.init("local", **here, **quiet)


class _Run:
    """The tasks of a job."""

    def __init__(self, job: Job, on_rows: OnRows) -> None:
        import ray

        self._ray = ray
        self._on_rows = on_rows
        self._in_flight: dict[Any, Part] = {}  # by reference to what its task returns
        self._rows = ray.remote(num_cpus=0, max_restarts=-1)(_Rows).remote()
        self._taken = self._rows.take.remote()
        task = ray.remote(_embed).options(
            name="numpyclip.embed_part",
            num_cpus=1,
            max_retries=MOST_RETRIES,
            runtime_env={"env_vars": ONE_THREAD},  # set before NumPy is imported
        )
        self._start: Callable[[Part], Any] = lambda part: task.remote(job, part, str(Path.cwd()), self._rows)

    def outcomes(self, parts: Sequence[Part], workers: int | None) -> Iterator[Outcome]:
        """Start tasks, few at a time; yield the outcome of each part."""
        waiting = iter(parts)
        while True:
            for part in islice(waiting, max(self._most(workers) - len(self._in_flight), 0)):
                self._in_flight[self._start(part)] = part
            if not self._in_flight:
                return
            self._ray.wait(list(self._in_flight), timeout=_ROWS_SECONDS)
            self._pass_rows()
            for reference in self._ended(list(self._in_flight)):
                yield self._outcome(reference, self._in_flight.pop(reference))

    def _most(self, workers: int | None) -> int:
        """Return how many tasks may be in flight; a cluster without CPUs gets some, for which it may start nodes."""
        return workers or _TASKS_PER_CPU * max(int(self._ray.cluster_resources().get("CPU", 0)), 1)

    def _ended(self, references: list[Any]) -> list[Any]:
        """Return those that have ended, without waiting."""
        ended: list[Any] = self._ray.wait(references, num_returns=len(references), timeout=0)[0]
        return ended

    def _pass_rows(self) -> None:
        """Pass on the rows of parts in flight, as they were when this was last called; none if their node has died."""
        if not self._ended([self._taken]):
            return
        rows: dict[int, int] = {}
        with contextlib.suppress(self._ray.exceptions.RayError):
            rows = self._ray.get(self._taken)
        self._taken = self._rows.take.remote()
        for number in sorted({part.number for part in self._in_flight.values()} & rows.keys()):
            self._on_rows(number, rows[number])

    def _outcome(self, reference: Any, part: Part) -> Outcome:
        errors = self._ray.exceptions
        try:
            outcome, noted = cast(_Returned, self._ray.get(reference))
        except (errors.RayTaskError, errors.RuntimeEnvSetupError) as error:  # `_embed` itself raises nothing
            raise MissingPackageError(
                f"a node cannot run numpyclip, which must be installed on each: {_last_line(error)}"
            ) from error
        except errors.RayError as error:
            return given_up(part, str(error).strip().partition("\n")[0])
        for warning in noted:
            warnings.warn(warning, stacklevel=4)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def end(self) -> None:
        """End all tasks at once."""
        with contextlib.suppress(self._ray.exceptions.RayError, ConnectionError):
            for reference in self._in_flight:
                self._ray.cancel(reference, force=True)
            self._ray.kill(self._rows)


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]


class _Rows:
    """An actor that collects the numbers of rows of all workers for the driver."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}  # by the number of a part

    def add(self, number: int, rows: int) -> None:
        self._rows[number] = rows

    def take(self) -> dict[int, int]:
        rows, self._rows = self._rows, {}
        return rows


def _embed(job: Job, part: Part, folder: str, rows_of_all: Any) -> _Returned:
    """Embed a part in a worker; return its outcome, or an error of all parts, and warnings."""
    last = -_ROWS_SECONDS

    def on_rows(number: int, rows: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _ROWS_SECONDS:
            last = now
            rows_of_all.add.options(num_returns=0).remote(number, rows)

    with contextlib.suppress(OSError):  # what is relative is to the driver's folder, as here, so that keys are equal
        os.chdir(folder)
    with warnings.catch_warnings(record=True) as caught:
        filter_warnings()
        outcome: Outcome | Exception
        try:
            _prepare(job)
            outcome = attempt_part(job, part, on_rows)
            if isinstance(outcome, FailedPart):
                outcome = replace(outcome, error=_here(outcome.error))
        except Exception as error:
            error.args = (_here(error), *error.args[1:])
            outcome = error
    return outcome, [warning.message for warning in caught[:_MOST_WARNINGS]]


def _here(error: object) -> str:
    return f"on node {gethostname()}: {error}"


@lru_cache(maxsize=1)
def _prepare(job: Job) -> None:
    """Prepare a worker: check that it sees the destination, and share weights with the others of its node."""
    if not (is_url(job.destination) or exists(join(job.destination, NAME))):
        raise InputError(
            f"{job.destination}: has no {NAME}; expected a folder that all nodes share, or a URL (s3://bucket/folder)."
        )
    share_weights(job)
