"""Draw the curves of one or more runs, one after the other: loss, and recall at 5.

python plot.py OUT.png RUN [RUN ...]
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
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    given = parser.parse_args()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), constrained_layout=True)
    begin = 0.0
    for run in given.runs:
        losses, recall = columns(run / "loss.csv"), columns(run / "recall.csv")
        left.plot([(begin + s) / 3600 for s in losses["seconds"]], losses["loss"], color="C0")
        hours = [(begin + s) / 3600 for s in recall["seconds"]]
        for number, test in enumerate(TESTS):
            label = test if run == given.runs[0] else None
            right.plot(hours, recall[f"{test}_r5"], color=f"C{number}", label=label)
        begin += losses["seconds"][-1]
        if run != given.runs[-1]:
            for axes in (left, right):
                axes.axvline(begin / 3600, color="grey", linewidth=0.7)
    left.set(xlabel="hours", ylabel="loss")
    right.set(xlabel="hours", ylabel="R@5 in percent", ylim=(0, 100))
    right.legend()
    figure.savefig(given.out, dpi=110)


if __name__ == "__main__":
    main()
