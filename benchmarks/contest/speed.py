"""How fast NumPy's product and NumPyCLIP's towers are, in a process of its own; prints one number.

Run as `python -m contest.speed product COUNT`, or `python -m contest.speed images|texts MODEL INPUTS`.
"""

import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

SIDES = (384, 768, 1536, 3072)  # of the square matrices
LEAST = 0.5  # seconds of a measurement


def times(function: Callable[[], object]) -> list[float]:
    """Measure a function often, after one call that is not counted."""
    function()
    measured: list[float] = []
    while not measured or sum(measured) < LEAST:
        start = time.perf_counter()
        function()
        measured.append(time.perf_counter() - start)
    return measured


def product(count: int) -> float:
    """Measure so many products at once: operations a second, all together, of the size that does best."""
    return max(rate(side, count) for side in SIDES)


def rate(side: int, count: int) -> float:
    random = np.random.default_rng(0)
    pairs = [random.standard_normal((2, side, side), np.float32) for _ in range(count)]
    results = [np.empty((side, side), np.float32) for _ in range(count)]
    repeats = max(round(2e9 / side**3), 1)  # long enough that starting a thread does not count

    def multiply(index: int) -> None:
        for _ in range(repeats):
            np.matmul(pairs[index][0], pairs[index][1], out=results[index])

    with ThreadPoolExecutor(count) as pool:
        seconds = times(lambda: list(pool.map(multiply, range(count))))
    return 2.0 * side**3 * repeats * count / min(seconds)


def tower(task: str, file: str, inputs: str) -> float:
    """Measure a tower: seconds."""
    import numpyclip

    model, _ = numpyclip.load(file)
    if task == "images":
        pixels = np.load(inputs)
        return statistics.median(times(lambda: model.encode_image(pixels)))
    ids = model.tokenize(Path(inputs).read_text("utf-8").splitlines())
    return statistics.median(times(lambda: model.encode_text(ids)))


def main() -> None:
    task, *arguments = sys.argv[1:]
    print(product(int(*arguments)) if task == "product" else tower(task, *arguments))


if __name__ == "__main__":
    main()
