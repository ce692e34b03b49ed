"""Measure contestants in turn, round by round, each in a process of its own."""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contest.contestants import ROUNDED, TITLES
from contest.files import HOME, INPUTS, PYTHON, ROOT

PAUSE = 0.25  # seconds between turns, for threads of the last one that still spin, waiting for more to do
THREADS = 2  # of each contestant, unless the command line says otherwise
REFERENCES = ("openai", "open_clip", "onnxruntime")  # the first that takes part
COSINE = 0.9999  # at least, with the reference
ROUNDED_COSINE = 0.99


def environment(threads: int, ancestor: Path | None = None) -> dict[str, str]:
    """Make the environment of a contestant: so many threads, and no settings that someone left behind."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "OMP_", "MKL_"))}
    counts = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    folders = [ROOT / "benchmarks", ROOT / "src"]
    return {
        **kept,
        **dict.fromkeys(counts, str(threads)),
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONWARNINGS": "ignore",
        "NUMPYCLIP_BENCHMARKS": str(HOME),
        "NUMPYCLIP_CACHE": str(HOME / "numpyclip-cache"),
        "HF_HUB_OFFLINE": "1",
        **({"NUMPYCLIP_ANCESTOR": str(ancestor)} if ancestor else {}),
    }


@dataclass
class Worker:
    """A contestant's process."""

    name: str
    process: subprocess.Popen[str]

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        assert self.process.stdin and self.process.stdout
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Wait for an answer."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has died, with status {self.process.wait()}")
        message: dict[str, Any] = json.loads(line)
        return message


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    names: tuple[str, ...]
    rounds: int
    threads: int
    ancestor: Path | None


def options(description: str, names: Sequence[str], rounds: int, chosen: Sequence[str] = ()) -> Options:
    """Read the command line of a question that such contestants answer: without a choice there, the chosen or all."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--contestants", nargs="+", choices=names, default=list(chosen or names))
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, default=THREADS)
    ancestor = os.environ.get("NUMPYCLIP_ANCESTOR")
    parser.add_argument("--ancestor", type=Path, default=ancestor, help="checkout of 99991/NumPyCLIP")
    given = parser.parse_args()
    if given.ancestor is None and "ancestor" in given.contestants:
        print("Without the ancestor: give its checkout by --ancestor or $NUMPYCLIP_ANCESTOR.")
        given.contestants.remove("ancestor")
    INPUTS.mkdir(parents=True, exist_ok=True)
    return Options(tuple(given.contestants), given.rounds, given.threads, given.ancestor and given.ancestor.absolute())


@contextlib.contextmanager
def workers(names: Sequence[str], model: str, threads: int, ancestor: Path | None = None) -> Iterator[list[Worker]]:
    """Start a process for each contestant, one after the other, and end them all."""
    env = environment(threads, ancestor)
    with contextlib.ExitStack() as stack:
        team = []
        for name in names:
            command = [str(PYTHON), "-m", "contest.worker", name, model, str(threads)]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            process = stack.enter_context(subprocess.Popen(command, env=env, cwd=ROOT / "benchmarks", **pipes))
            stack.callback(process.kill)
            team.append(Worker(name, process))
            team[-1].answer()
        yield team


@dataclass(frozen=True)
class Result:
    """What the turns of each contestant took, in seconds; how near its embeddings are to the reference's; its memory.

    `peaks` are MiB, once it has loaded the model and embedded the inputs.
    """

    seconds: dict[str, list[float]]
    cosines: dict[str, float]
    peaks: dict[str, float]

    def median(self, name: str) -> float:
        """Seconds of a contestant's middle turn."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, than: str = "numpyclip") -> float | None:
        """How many times as long as another it took: the median over the rounds, so that drift cancels."""
        if not {name, than} <= self.seconds.keys():
            return None
        pairs = zip(self.seconds[name], self.seconds[than], strict=True)
        return statistics.median(its / others for its, others in pairs)


def compete(team: Sequence[Worker], task: str, inputs: Path, rounds: int, least: float) -> dict[str, list[float]]:
    """Let all embed the same, A B C A B C ..., and return the seconds that the turns of each took."""
    seconds: dict[str, list[float]] = {worker.name: [] for worker in team}
    for _ in range(rounds):
        for worker in team:
            time.sleep(PAUSE)
            answer = worker.ask(task=task, inputs=str(inputs), least=least)
            seconds[worker.name].append(statistics.median(answer["seconds"]))
    return seconds


def agree(team: Sequence[Worker], task: str, inputs: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Compare all embeddings with the reference's: the least cosine of each contestant, and its peak memory, in MiB.

    Also warms them up.
    """
    embeddings, peaks = {}, {}
    for worker in team:
        path = HOME / f"embeddings-{worker.name}.npy"
        peaks[worker.name] = worker.ask(task=task, inputs=str(inputs), save=str(path))["peak"]
        embeddings[worker.name] = unit(np.load(path).astype(np.float64))
        path.unlink()
    reference = next((embeddings[name] for name in REFERENCES if name in embeddings), None)
    if reference is None:
        print("Not compared: none of " + ", ".join(REFERENCES) + " takes part.")
        return {}, peaks
    cosines = {name: float((theirs * reference).sum(axis=1).min()) for name, theirs in embeddings.items()}
    for name, cosine in cosines.items():
        least = ROUNDED_COSINE if name in ROUNDED else COSINE
        if not cosine > least:
            raise RuntimeError(f"{TITLES[name]} computes something else than the reference: cosine {cosine}")
    return cosines, peaks


def unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    rows: NDArray[np.float64] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return rows
