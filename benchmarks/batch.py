"""How fast are shards of pictures embedded, how does time grow with rows and workers, and what memory do these need.

In turn: `embed_images` in a loop, on two threads; `numpyclip.batch.embed` on one local process, on two, and on Ray
with two tasks; clip-retrieval's inference with PyTorch. Each is a whole program that embeds ever more shards: what it
takes to start and what it takes for each row are those of the straight line through its times.
"""

import argparse
import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contest import bulk, inputs, report
from contest.arena import PAUSE, environment, unit
from contest.files import HOME, INPUTS, PYTHON, ROOT, Checkpoint

SIZE = 256  # pixels, as img2dataset makes pictures by default
TITLES = {
    "loop": "`embed_images` in a loop, {} threads",
    "pool_1": "`embed`, one process",
    "pool": "`embed`, {} processes",
    "ray": "`embed` on Ray, {} tasks",
    "clip_retrieval": "clip-retrieval, {} threads",
}
NEEDS = {"ray": "ray", "clip_retrieval": "clip_retrieval"}  # packages
COSINE = 0.999  # at least, with the loop's embeddings: clip-retrieval writes float16
WARM = 0.05  # part of the rows after which memory ought to have stopped growing


@dataclass(frozen=True)
class Case:
    """A model, and which shards are embedded with it: so many rows in each, and numbers of shards."""

    title: str
    model: str
    rows: int
    shards: tuple[int, ...]
    names: tuple[str, ...]


CASES = {
    "tiny": Case("tiny: reading and decoding take most of the time", "tiny", 1000, (5, 10, 20), tuple(TITLES)[:-1]),
    "ViT-B/32": Case(
        "ViT-B/32: computing takes most of the time",
        str(Checkpoint("ViT-B/32").numpyclip),
        64,
        (4, 8, 16),
        tuple(TITLES),
    ),
}
Seconds = dict[str, list[list[float]]]  # contestant → round → number of shards


def main() -> None:
    given = options()
    INPUTS.mkdir(parents=True, exist_ok=True)
    parts = []
    for name in given.models:
        case = replace(CASES[name], shards=tuple(given.shards or CASES[name].shards))
        names = [name for name in case.names if name in given.contestants and find_spec(NEEDS.get(name, "numpyclip"))]
        shards = inputs.shards(SIZE, case.rows, max(case.shards))
        agree(case, names, shards[: case.shards[0]], given.threads)
        seconds: Seconds = {name: [[] for _ in range(given.rounds)] for name in names}
        for round_ in range(given.rounds):
            for count in case.shards:
                for name in names:
                    seconds[name][round_].append(run(case, name, shards[:count], given.threads))
                    print(case.model, name, count * case.rows, f"{seconds[name][round_][-1]:.1f} s", flush=True)
        parts += [f"## {case.title}", *answer(case, seconds, given.threads)]
    if given.memory:
        parts += ["## Memory of workers", *memory(given.memory, given.threads)]
    parts.append(f"Medians of {given.rounds} rounds, in turn; ratios are medians of the rounds' ratios.")
    report.write("batch", "Shards of pictures, embedded by whole programs", [*parts, report.machine(None)])


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--contestants", nargs="+", choices=TITLES, default=list(TITLES), help="and always the loop")
    parser.add_argument("--shards", type=int, nargs="+", help="numbers of them, two at least, of two at least")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="also processes, and tasks")
    parser.add_argument("--memory", type=int, default=100_000, metavar="ROWS", help="0: do not look at memory")
    given = parser.parse_args()
    given.contestants.append("loop")
    return given


def run(case: Case, name: str, shards: Sequence[Path], threads: int, folder: Path | None = None) -> float:
    """Run one program; return how long it took. Its output is removed, unless there is a folder for it."""
    output = folder or HOME / "batch-output"
    shutil.rmtree(output, ignore_errors=True)
    time.sleep(PAUSE)
    workers = 1 if name == "pool_1" else threads
    command = [PYTHON, "-m", "contest.bulk", name.removesuffix("_1"), case.model, str(workers), output, *shards]
    env = {**environment(threads), "RAY_ADDRESS": "local"}  # a cluster of its own, also where there is one
    start = time.perf_counter()
    subprocess.run(command, env=env, cwd=ROOT / "benchmarks", stdout=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - start
    if folder is None:
        shutil.rmtree(output)
    return seconds


def agree(case: Case, names: Sequence[str], shards: Sequence[Path], threads: int) -> None:
    """Compare all embeddings with the loop's, and those of `embed` bit for bit; also warms caches up."""
    found: dict[str, NDArray[np.float32]] = {}
    for name in names:
        folder = HOME / f"batch-{name}"
        run(case, name, shards, threads, folder)
        found[name] = bulk.embeddings(folder)
        shutil.rmtree(folder)
    for name, rows in found.items():
        cosine = float((unit(rows.astype(float)) * unit(found["loop"].astype(float))).sum(axis=1).min())
        if not cosine > COSINE:
            raise RuntimeError(f"{name} computes something else than the loop: cosine {cosine}")
    exact = [found[name] for name in ("pool_1", "pool", "ray") if name in found]
    if not all(np.array_equal(exact[0], others) for others in exact):
        raise RuntimeError("embeddings depend on who computes them")


def answer(case: Case, seconds: Seconds, threads: int) -> list[str]:
    """Return the tables of a case, and the plot of its times."""
    rows = case.rows * np.array(case.shards)
    lines = {name: np.array([np.polyfit(rows, times, 1) for times in rounds]) for name, rounds in seconds.items()}
    medians = {name: np.median(rounds, axis=0) for name, rounds in seconds.items()}
    rates = []
    for name, line in lines.items():
        each, start = np.median(line, axis=0)
        ratios = [
            f"{np.median(line[:, 0] / lines[other][:, 0]):.2f}" if other in lines else ""
            for other in ("loop", "pool_1")
        ]
        rates.append([TITLES[name].format(threads), f"{1 / each:.1f}", f"{start:.1f}", *ratios])
    header = ["", "images/s", "start, s", "time / the loop's", "time / one process's"]
    grown = [[TITLES[name].format(threads), *(f"{second:.1f}" for second in medians[name])] for name in seconds]
    return [
        report.table(header, rates),
        report.table(["seconds, whole programs, by rows", *(f"{count:,}" for count in rows)], grown),
        plot(case, rows, {TITLES[name].format(threads): medians[name] for name in seconds}),
    ]


def plot(case: Case, rows: NDArray[np.int_], curves: dict[str, NDArray[np.float64]]) -> str:
    if find_spec("matplotlib") is None:
        return report.NO_PLOT
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for title, seconds in curves.items():
        axes.plot(rows, seconds, marker=".", label=title.replace("`", ""))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("rows")
    axes.set_ylabel("seconds")
    axes.legend()
    return report.save(figure, f"batch-{'compute' if case.model != 'tiny' else 'input'}")


def memory(count: int, threads: int) -> list[str]:
    """Let workers embed many small pictures with `tiny`, and some with ViT-B/32; return tables of their memory."""
    small = inputs.shards(64, 1000, max(count // 1000, threads))
    seen = watch("tiny", small, threads)
    warm = [sizes for rows, sizes in seen if rows >= WARM * count]
    peaks = [max(worker["anonymous"] for worker in sizes) for sizes in warm]
    flat = [
        [f"the first time, after {WARM:.0%} of {count:,} rows", f"{peaks[0]:.0f}"],
        ["least", f"{min(peaks):.0f}"],
        ["most", f"{max(peaks):.0f}"],
        ["the last time", f"{peaks[-1]:.0f}"],
    ]
    shared = []
    for name, case in CASES.items():
        if name != "tiny":
            seen = watch(case.model, inputs.shards(SIZE, case.rows, 2 * threads), threads)
        largest = max((sizes for _, sizes in seen), key=lambda sizes: sum(worker["rss"] for worker in sizes))
        shared.append([name, *(f"{sum(worker[what] for worker in largest):.0f}" for what in ("rss", "pss"))])
    return [
        report.table(["`tiny`, the larger of the workers, without mapped files", "MiB"], flat),
        report.table(
            [f"{threads} workers together", "MiB, each by itself (RSS)", "MiB, shared pages once (PSS)"], shared
        ),
    ]


def watch(model: str, shards: Sequence[Path], threads: int) -> list[tuple[int, list[dict[str, float]]]]:
    output = HOME / "batch-output"
    shutil.rmtree(output, ignore_errors=True)
    command = [PYTHON, "-m", "contest.bulk_memory", model, str(threads), output, *shards]
    env = environment(threads)
    done = subprocess.run(command, env=env, cwd=ROOT / "benchmarks", stdout=subprocess.PIPE, check=True)
    shutil.rmtree(output)
    seen: list[tuple[int, list[dict[str, float]]]] = json.loads(done.stdout)
    return seen


if __name__ == "__main__":
    main()
