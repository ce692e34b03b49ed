"""How long commands take over a folder that is in the index already: 1,000 JPEGs of 4 megapixels, the model `tiny`.

Whole processes, in turn; `--before` names another numpyclip to compare with, which may know nothing of an index.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from contest import inputs
from contest.files import HOME, INPUTS

DRAWN = 20  # photographs, each a class; the others are these, shifted
WIDTH, HEIGHT = 2400, 1800
COMMANDS = ("tag", "classify", "duplicates", "map", "filter", "learn")


def main() -> None:
    given = options()
    folder = photographs(given.count)
    programs = {"after": [sys.executable, "-m", "numpyclip"]}
    if given.before:
        programs = {"before": [given.before], **programs}
    seconds: dict[tuple[str, str], list[float]] = {}
    for name, program in programs.items():
        print(f"{name}: index", f"{timed(program, name, ['index', folder]):.1f} s", flush=True)
    for _ in range(given.rounds):
        for command in given.commands:
            for name, program in programs.items():
                elapsed = timed(program, name, words(command, folder))
                seconds.setdefault((command, name), []).append(elapsed)
                print(f"{name}: {command} {elapsed:.1f} s", flush=True)
    print(f"\n{given.count} photographs, medians of {given.rounds} rounds, seconds")
    for command in given.commands:
        print(command, *(f"{name} {statistics.median(seconds[command, name]):.2f}" for name in programs), sep="\t")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="NUMPYCLIP", help="the command of another version")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=COMMANDS)
    return parser.parse_args()


def photographs(count: int) -> Path:
    """Write a folder of folders of photographs that all differ, some pixels to the side or not."""
    folder = INPUTS / f"indexed-{count}"
    for drawn in range(DRAWN):
        place = folder / f"{drawn:02}"
        place.mkdir(parents=True, exist_ok=True)
        paths = [place / f"{number:03}.jpg" for number in range(count // DRAWN)]
        if all(path.exists() for path in paths):
            continue
        pixels = np.asarray(inputs.photograph(drawn, WIDTH, HEIGHT))
        for number, path in enumerate(paths):
            Image.fromarray(np.roll(pixels, 40 * number, axis=1)).save(path, quality=90)
    return folder


def words(command: str, folder: Path) -> list[str | Path]:
    """Return the arguments of a command."""
    more: dict[str, list[str | Path]] = {
        "classify": ["a house", "a tree", "the sea"],
        "map": ["-o", HOME / "map.html"],
        "filter": ["--keep", "a house"],
        "learn": ["-o", HOME / "probe.npz"],
    }
    return [command, folder, *more.get(command, [])]


def timed(program: list[str], name: str, words: list[str | Path]) -> float:
    """Run a command with an index of its own; return how long it took."""
    environment = {**os.environ, "NUMPYCLIP_MODEL": "tiny", "NUMPYCLIP_INDEX": str(HOME / f"indexed-{name}.index")}
    start = time.perf_counter()
    done = subprocess.run([*program, *map(str, words)], env=environment, stdout=subprocess.DEVNULL)
    if done.returncode not in (0, 1):  # 1: nothing found
        done.check_returncode()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
