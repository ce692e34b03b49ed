"""How long a program takes from its start to the probabilities of one JPEG and three labels: ViT-B/32.

Whole processes, the files they read in the system's cache; the first run of each is not counted: in it
NumPyCLIP prepares weights, and compiles graphs, which it keeps.
"""

import json
import subprocess
import time

import numpy as np
from numpy.typing import NDArray

from contest import inputs
from contest.arena import PAUSE, Result, environment, options
from contest.contestants import TITLES
from contest.files import PYTHON, ROOT
from contest.question import ALL, Question, answer

LABELS = ["a photo of a dog", "a photo of a cat", "a painting of clouds"]
LEFT_OUT = ("numpyclip_openvino_int8", "open_clip_bf16", "openvino_bf16")
CONTESTANTS = tuple(name for name in ALL if name not in LEFT_OUT)
QUESTION = Question(
    "cold_start",
    "ViT-B/32, from the program's start to the probabilities of one JPEG and three labels",
    "files",
    inputs.picture,
    1,
    contestants=(*CONTESTANTS[:-1], "openvino_cached", CONTESTANTS[-1]),
)
DIFFERENCE = 0.02  # of probabilities, at most: Pillow and NumPy alone preprocess a little otherwise than torchvision


def main() -> None:
    given = options(QUESTION.title, QUESTION.contestants, 5)
    env = environment(given.threads, given.ancestor)
    result = Result({name: [] for name in given.names}, {}, {})
    for round_ in range(given.rounds + 1):
        probabilities = {}
        for name in given.names:
            time.sleep(PAUSE)
            command = [str(PYTHON), "-m", "contest.once", name, QUESTION.model, str(QUESTION.inputs()), *LABELS]
            start = time.perf_counter()
            done = subprocess.run(command, env=env, cwd=ROOT / "benchmarks", stdout=subprocess.PIPE, check=True)
            seconds = time.perf_counter() - start
            probabilities[name] = np.array(json.loads(done.stdout.splitlines()[-1]))
            if round_:
                result.seconds[name].append(seconds)
        compare(probabilities)
    answer(QUESTION, given, result, f"All probabilities agree to {DIFFERENCE}.")


def compare(probabilities: dict[str, NDArray[np.float64]]) -> None:
    for name, values in probabilities.items():
        difference = np.abs(values - next(iter(probabilities.values()))).max()
        if difference > DIFFERENCE:
            raise RuntimeError(f"{TITLES[name]} computes other probabilities: {values}, {probabilities}")


if __name__ == "__main__":
    main()
