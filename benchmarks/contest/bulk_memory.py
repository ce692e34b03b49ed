"""The memory of the workers of a local pool while they embed shards; printed as JSON. On Linux.

Run as `python -m contest.bulk_memory MODEL WORKERS FOLDER SHARD [SHARD ...]`.
"""

import json
import sys
from itertools import chain
from pathlib import Path

from numpyclip.batch import Options, Progress, embed

EVERY = 100  # rows
SELF = Path("/proc/self/task")


def mebibytes(pid: str) -> dict[str, float]:
    """Read the resident memory of a process: all, its share of it, and that without the pages of mapped files."""
    sums = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    fields = {name: int(value.split()[0]) / 1024 for name, value in (line.split(":", 1) for line in sums)}
    return {"rss": fields["Rss"], "pss": fields["Pss"], "anonymous": fields["Anonymous"]}


def main() -> None:
    model, workers, folder, *shards = sys.argv[1:]
    seen: list[tuple[int, list[dict[str, float]]]] = []

    def look(progress: Progress) -> None:
        if progress.rows - (seen[-1][0] if seen else 0) >= EVERY:
            children = chain.from_iterable(file.read_text().split() for file in SELF.glob("*/children"))
            seen.append((progress.rows, [mebibytes(pid) for pid in children]))

    embed(shards, folder, model=model, workers=int(workers), options=Options(progress=look))
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
