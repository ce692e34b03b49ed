"""One contestant in a process of its own: takes requests from a pipe, one line of JSON each, and answers in kind.

Run as `python -m contest.worker CONTESTANT MODEL THREADS`.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from contest import contestants
from contest.files import Checkpoint


@cache
def inputs(task: str, path: str) -> Any:
    """Read what a task embeds: an array of pixels, or a list of texts or of files."""
    if task == "images":
        return np.load(path)
    lines = Path(path).read_text("utf-8").splitlines()
    return [Path(line) for line in lines] if task == "files" else lines


def turn(function: Callable[[Any], Any], argument: Any, least: float) -> list[float]:
    """Run once, and again until so many seconds have gone by; return what each run took."""
    times: list[float] = []
    while not times or sum(times) < least:
        start = time.perf_counter()
        function(argument)
        times.append(time.perf_counter() - start)
    return times


def serve(name: str, model: str, threads: int, answer: Callable[[dict[str, Any]], None]) -> None:
    contestant = contestants.load(name, Checkpoint(model), threads)
    answer({"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        function = getattr(contestant, request["task"])
        argument: Sequence[Any] = inputs(request["task"], request["inputs"])
        if "save" in request:
            np.save(request["save"], function(argument))
            answer({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})
        else:
            answer({"seconds": turn(function, argument, request["least"])})


def main() -> None:
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer

    def answer(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=pipe, flush=True)

    name, model, threads = sys.argv[1:]
    serve(name, model, int(threads), answer)


if __name__ == "__main__":
    main()
