"""How time grows with the batch, the number of images, the length of texts and the threads: ViT-B/32."""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contest import inputs, report
from contest.arena import Options, agree, compete, options, workers
from contest.contestants import TITLES
from contest.question import ALL

MODEL = "ViT-B/32"
BATCHES = (1, 2, 4, 8, 16, 32, 64)
IMAGES = (32, 64, 128, 256)
LENGTHS = (5, 10, 20, 40, 77)
TEXTS = 32
LEAST = 0.3  # seconds of a turn: there are many
Curves = dict[str, list[float]]  # contestant → seconds, one per place on the axis


def measure(given: Options, task: str, files: Sequence[Path]) -> Curves:
    curves: Curves = {name: [] for name in given.names}
    with workers(given.names, MODEL, given.threads, given.ancestor) as team:
        for file in files:
            agree(team, task, file)
            for name, seconds in compete(team, task, file, given.rounds, LEAST).items():
                curves[name].append(statistics.median(seconds))
    return curves


def main() -> None:
    given = options(__doc__ or "", ALL, rounds=3, chosen=("numpyclip", "openai"))
    threads = sorted({1, given.threads})
    batch = inputs.pixels(224, 32)
    one_each = [measure(replace(given, threads=count), "images", [batch]) for count in threads]
    panels = [
        ("images in a batch", BATCHES, measure(given, "images", [inputs.pixels(224, n) for n in BATCHES]), "images"),
        ("images in one call", IMAGES, measure(given, "images", [inputs.pixels(224, n) for n in IMAGES]), "images"),
        (
            f"tokens in each of {TEXTS} texts",
            LENGTHS,
            measure(given, "texts", [inputs.prompts_of_length(n, TEXTS) for n in LENGTHS]),
            "texts",
        ),
        (
            "threads, 32 images",
            threads,
            {name: [curves[name][0] for curves in one_each] for name in given.names},
            "threads",
        ),
    ]
    write(given, panels)


def write(given: Options, panels: Sequence[tuple[str, Sequence[int], Curves, str]]) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, every = pyplot.subplots(2, 2, figsize=(10, 7), layout="constrained")
    parts = []
    for axes, (label, places, curves, _) in zip(every.flat, panels, strict=True):
        for name, seconds in curves.items():
            axes.plot(places, seconds, marker=".", label=TITLES[name], color="black" if name == "numpyclip" else None)
        axes.set_xlabel(label)
        axes.set_ylabel("seconds")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.legend()
        header = [f"seconds, by {label}", *map(str, places)]
        rows = [[TITLES[name], *(f"{second:.3g}" for second in seconds)] for name, seconds in curves.items()]
        parts.append(report.table(header, rows))
    parts.insert(0, report.save(figure, "growth"))
    parts.append(f"Medians of {given.rounds} rounds, in turn.")
    report.write("growth", "Growth, ViT-B/32", [*parts, report.machine(given.threads)])


if __name__ == "__main__":
    main()
