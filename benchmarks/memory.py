"""Whether memory stays flat while 10,000 pictures stream through ViT-B/32. NumPyCLIP alone; on Linux."""

import argparse
import json
import subprocess
from typing import Any

from contest import report
from contest.arena import environment
from contest.files import PYTHON, ROOT, Checkpoint

WARM = 0.05  # part of the pictures after which memory ought to have stopped growing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default=Checkpoint("ViT-B/32").openai, help="as numpyclip.load takes it")
    given = parser.parse_args()
    command = [str(PYTHON), "-m", "contest.stream", str(given.model), str(given.count)]
    env = environment(given.threads)
    done = subprocess.run(command, env=env, cwd=ROOT / "benchmarks", stdout=subprocess.PIPE, check=True)
    write(json.loads(done.stdout), given.count, given.threads)


def write(seen: dict[str, Any], count: int, threads: int) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    indices, seconds, sizes = zip(*seen["seen"], strict=True)
    figure, axes = pyplot.subplots(figsize=(8, 3.5), layout="constrained")
    axes.plot(indices, sizes)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pictures")
    axes.set_ylabel("MiB")
    axes.set_title("memory, without mapped files")
    warm = [size for index, size in zip(indices, sizes, strict=True) if index >= WARM * count]
    rows = [
        ["before the first picture", f"{sizes[0]:.0f}"],
        [f"least, after the first {WARM:.0%} of the pictures", f"{min(warm):.0f}"],
        [f"most, after the first {WARM:.0%} of the pictures", f"{max(warm):.0f}"],
        ["with the last picture", f"{sizes[-1]:.0f}"],
        ["of that the embeddings, which are returned as one array", f"{seen['embeddings']:.0f}"],
        ["peak of the process, mapped files included", f"{seen['peak']:.0f}"],
    ]
    speed = f"{indices[-1] / seconds[-1]:.1f} pictures a second over the whole stream."
    parts = [report.table(["", "MiB"], rows), report.save(figure, "memory"), speed, report.machine(threads, False)]
    report.write("memory", f"Memory while {count:,} pictures stream through", parts)


if __name__ == "__main__":
    main()
