"""Draw the curves of a run: loss, and text-to-image recall at 5.

python plot.py RUN OUT.png
"""

import argparse
import csv
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot as plt

TESTS = ("twemoji", "openmoji", "noto_held", "art4apps", "tuxpaint")


def columns(file: Path) -> dict[str, list[float]]:
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {key: [float(row[key]) for row in rows] for key in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    given = parser.parse_args()
    losses, recall = columns(given.run / "loss.csv"), columns(given.run / "recall.csv")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), constrained_layout=True)
    left.plot(losses["step"], losses["loss"], label="pictures and texts")
    left.plot(losses["step"], losses["words_loss"], label="words and meanings")
    for test in TESTS:
        right.plot(recall["step"], recall[f"{test}_r5"], marker=".", label=test)
    left.set(xlabel="step", ylabel="loss", ylim=(0, None))
    right.set(xlabel="step", ylabel="R@5 in percent", ylim=(0, 100))
    left.legend()
    right.legend()
    figure.savefig(given.out, dpi=110)


if __name__ == "__main__":
    main()
