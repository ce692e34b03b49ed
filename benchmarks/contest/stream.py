"""Embed an endless-looking stream of small pictures, and print the process's memory on the way, as JSON.

Run as `python -m contest.stream FILE COUNT`.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import numpyclip

STATUS = Path("/proc/self/status")
EVERY = 100


def mebibytes() -> float:
    """Read the resident memory without the pages of mapped files, which the system takes back when it likes."""
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024


def pictures(count: int, seen: list[tuple[int, float, float]]) -> Iterator[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    start = time.perf_counter()
    for index in range(count):
        if index % EVERY == 0:
            seen.append((index, time.perf_counter() - start, mebibytes()))
        yield random.integers(0, 256, (48, 64, 3), np.uint8)


def main() -> None:
    file, count = sys.argv[1], int(sys.argv[2])
    model, _ = numpyclip.load(file)
    seen: list[tuple[int, float, float]] = []
    embeddings = model.embed_images(pictures(count, seen))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seen": seen, "embeddings": embeddings.nbytes / 2**20, "peak": peak}))


if __name__ == "__main__":
    main()
