"""How much memory and time `low_memory=True` takes for one image, beside the usual way; in rows of Markdown. On Linux.

    python benchmarks/low_memory.py [NAME ...] [--rounds 5] [--threads 2] [--folder FOLDER] [--low]

Needs no other library. The models are OpenCLIP's architectures with random weights in float16, in files that are
written to the folder (5 GB for the largest, which takes 11 GB of memory the usual way) and removed again. Both ways run
in processes of their own, which embed one image in turn; a cell has `low_memory`, then the usual way. The first image
includes loading the model; prepared weights are not cached. Memory is the peak of the process.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from architectures import ROOT, is_scale, read_config
from contest import report
from contest.arena import PAUSE, environment
from contest.own_memory import resident

NAMES = ("ViT-B-32", "ViT-L-14", "ViT-H-14", "ViT-bigG-14")
WAYS = ("low_memory", "usual")
HEADER = ("model", "file, MB", "memory, MB", "first image, s", "later ones, s", "ratio")


def write_weights(name: str, file: Path) -> None:
    """Write random weights of the true sizes, layers of queries, keys and values in one, as OpenCLIP's files."""
    from numpyclip.runtime.towers import expected_tensors
    from numpyclip.weights.checkpoint import Checkpoint
    from numpyclip.weights.safetensors import Unwritten, write_safetensors

    class Joined(Checkpoint):
        """A checkpoint without tensors, which is asked how those of attention are named."""

        def __contains__(self, name: str) -> bool:
            return name.endswith("in_proj_weight")

    random = np.random.default_rng(0)

    def make(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if is_scale(name, shape):  # so that numbers stay ordinary
            return np.ones(shape, np.float16)
        return (np.float32(0.03) * random.standard_normal(shape, np.float32)).astype(np.float16)

    shapes = dict(expected_tensors(Joined(file, {}), read_config(name)))
    write_safetensors(
        file, [Unwritten(name, "F16", shape, lambda item=(name, shape): make(*item)) for name, shape in shapes.items()]
    )


def embed(name: str, file: str, way: str) -> None:
    """Embed one image at the start and at every line of stdin; answer with seconds, and with the peak of memory."""
    start = time.perf_counter()
    import numpyclip

    model, _ = numpyclip.load(name, pretrained=file, low_memory=way == "low_memory")
    pixels = np.random.default_rng(1).standard_normal((1, 3, *model.preprocess.sides), np.float32)
    embedding = model.encode_image(pixels)
    print(json.dumps([time.perf_counter() - start, embedding[0, :8].tolist()]), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        model.encode_image(pixels)
        print(json.dumps([time.perf_counter() - start, resident("VmHWM") / 1e6]), flush=True)


@contextlib.contextmanager
def worker(name: str, file: Path, way: str, threads: int) -> Iterator["subprocess.Popen[str]"]:
    env = {**environment(threads), "NUMPYCLIP_CACHE": "0"}
    command = [sys.executable, __file__, name, "--folder", str(file), "--here", way]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=env, cwd=ROOT / "benchmarks", **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def answer(process: "subprocess.Popen[str]", ask: bool = True) -> Any:
    """Ask for one more image, unless it is the first one, and wait for the answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    time.sleep(PAUSE)
    if ask:
        process.stdin.write("\n")
        process.stdin.flush()
    return json.loads(process.stdout.readline())


def measure(name: str, file: Path, given: argparse.Namespace) -> list[str]:
    """Return a row of the table."""
    write_weights(name, file)
    with contextlib.ExitStack() as stack:
        ways = WAYS[:1] if given.low else WAYS
        team, firsts = [], []
        for way in ways:
            team.append(stack.enter_context(worker(name, file, way, given.threads)))
            seconds, embedding = answer(team[-1], ask=False)
            assert np.isfinite(embedding).all(), "random weights made numbers that are not finite"
            firsts.append(f"{seconds:.2f}")
        rounds = [[answer(process) for process in team] for _ in range(given.rounds)]
    memory = [f"{peak:.0f}" for _, peak in rounds[-1]]
    later = [f"{statistics.median(seconds for seconds, _ in turns):.2f}" for turns in zip(*rounds, strict=True)]
    ratio = f"{statistics.median(turn[0][0] / turn[-1][0] for turn in rounds):.2f}"
    size = f"{file.stat().st_size / 1e6:.0f}"
    return [name, size, *map(" / ".join, (memory, firsts, later)), "" if given.low else ratio]


def show(rows: Sequence[Sequence[str]], given: argparse.Namespace) -> None:
    load = f"load {os.getloadavg()[1]:.1f} in the last five minutes"
    print(report.table(HEADER, rows), report.machine(given.threads, peers=False), f"- {load}", sep="\n\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=NAMES, help="OpenCLIP's names of architectures")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--low", action="store_true", help="without the usual way, for which memory may be too small")
    parser.add_argument("--here", choices=WAYS, help=argparse.SUPPRESS)  # in this process; the folder is the file
    given = parser.parse_args()
    if given.here:
        embed(given.names[0], str(given.folder), given.here)
        return
    rows = []
    for name in given.names:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            rows.append(measure(name, Path(folder) / "weights.safetensors", given))
        print(report.table(HEADER, rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    show(rows, given)


if __name__ == "__main__":
    main()
