"""Whether memory stays flat while 10,000 images stream through ViT-B/32. NumPyCLIP alone; on Linux."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from contest import report
from contest.arena import environment
from contest.files import ROOT, Checkpoint

WARM = 0.05  # part of the images after which memory ought to have stopped growing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default=Checkpoint("ViT-B/32").openai, help="as numpyclip.load takes it")
    given = parser.parse_args()
    command = [sys.executable, "-m", "contest.stream", str(given.model), str(given.count)]
    env = environment(given.threads)
    done = subprocess.run(command, env=env, cwd=ROOT / "benchmarks", stdout=subprocess.PIPE, check=True)
    write(json.loads(done.stdout), given.count, given.threads)


def write(seen: dict[str, Any], count: int, threads: int) -> None:
    indices, seconds, sizes = zip(*seen["seen"], strict=True)
    warm = [size for index, size in zip(indices, sizes, strict=True) if index >= WARM * count]
    rows = [
        ["before the first image", f"{sizes[0]:.0f}"],
        [f"least, after the first {WARM:.0%} of the images", f"{min(warm):.0f}"],
        [f"most, after the first {WARM:.0%} of the images", f"{max(warm):.0f}"],
        ["with the last image", f"{sizes[-1]:.0f}"],
        ["of that the embeddings, which are returned as one array", f"{seen['embeddings']:.0f}"],
        ["peak of the process, mapped files included", f"{seen['peak']:.0f}"],
    ]
    speed = f"{indices[-1] / seconds[-1]:.1f} images a second over the whole stream."
    parts = [report.table(["", "MiB"], rows), plot(indices, sizes), speed, report.machine(threads, False)]
    report.write("memory", f"Memory while {count:,} images stream through", parts)


def plot(indices: Sequence[int], sizes: Sequence[float]) -> str:
    if find_spec("matplotlib") is None:
        return report.NO_PLOT
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3.5), layout="constrained")
    axes.plot(indices, sizes)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("images")
    axes.set_ylabel("MiB")
    axes.set_title("memory, without mapped files")
    return report.save(figure, "memory")


if __name__ == "__main__":
    main()
