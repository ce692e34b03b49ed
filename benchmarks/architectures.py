"""How fast NumPyCLIP runs each architecture of OpenCLIP, relative to ViT-B/32, and in how much memory.

    python benchmarks/architectures.py [NAME ...] [--again] [--threads 2]

Needs no other library and no disk: the weights are random, of the true sizes, and made in memory, where all tensors
share one buffer. Many architectures share a tower, so each tower is measured once, in a process of its own, and
recorded at once in benchmarks/results/towers.json: what is there is left out unless --again, so that it can be stopped
and started again. src/numpyclip/data/speeds.json is made of it. The number of parameters is counted, and recorded of
all.

Seconds are medians over rounds in which ViT-B/32 and the other embed the same number of images (1 to 8) or texts
(8, of 12 tokens; the whole context length where padding is attended to), in turn. A transformer of more than 1 GB is
measured with two small numbers of blocks, from which the whole is extrapolated; the file says so. Memory is four bytes
for each parameter, the interpreter, and what a batch of eight images or texts needs beside the weights. On Linux.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from contest.own_memory import reset_peak, resident

ROOT = Path(__file__).parents[1]
SPEEDS = ROOT / "src" / "numpyclip" / "data" / "speeds.json"
RESULTS = ROOT / "benchmarks" / "results" / "towers.json"
BASE = "ViT-B-32"

MOST_BYTES = 1e9  # of a tower that is measured whole
FEW, MORE = 2, 6  # blocks of a larger one
BATCH, TEXTS, TOKENS = 8, 8, 12
ROUNDS, SECONDS = 15, 8.0  # of one tower, at most; never fewer than three rounds
TURN = 1.0  # seconds of the other tower in one round, as far as the number of images can be chosen
USUAL = 25  # seconds that a tower takes in all
SQUEEZED = 32  # channels of MobileCLIP's squeeze-and-excitation; the parameters are a few thousands


# --- models of random weights -------------------------------------------------------------------------------------


def read_config(name: str) -> Any:
    """Return the config of an architecture; of its first published weights, for the activation depends on the tag."""
    from numpyclip.families import open_clip
    from numpyclip.families.config_file import Section
    from numpyclip.families.locate import find_architecture

    known = find_architecture(name)
    model = next(iter(known.models.values()), None)
    return open_clip.read_config(Section(Path(name), "", known.describe(model)))[0]


def tensors(config: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors by their names."""
    from numpyclip.runtime.towers import expected_tensors
    from numpyclip.weights.checkpoint import Checkpoint

    class Asked(Checkpoint):
        """A checkpoint without tensors, which is asked for sizes that a config does not have: of squeezed channels."""

        def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
            return (SQUEEZED,) * dimensions

    return dict(expected_tensors(Asked(Path("random"), {}), config))


def count_parameters(config: Any) -> int:
    """Count the parameters; the statistics of batch norms are none."""
    shapes = tensors(config)
    return sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(("running_mean", "running_var")))


def in_millions(config: Any) -> float:
    return round(count_parameters(config) / 1e6, 2)


def make_model(config: Any) -> Any:
    """Make a model whose tensors are parts of one buffer; scales are 1, so that numbers stay ordinary."""
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
    from numpyclip.weights.checkpoint import Checkpoint

    shapes = tensors(config)
    largest = max(math.prod(shape) for shape in shapes.values() if not is_table(shape))
    buffer = np.random.default_rng(0).standard_normal(largest, np.float32)
    buffer *= np.float32(0.03)
    arrays = {}
    for name, shape in shapes.items():
        if is_table(shape):  # one row stands for all
            arrays[name] = np.broadcast_to(buffer[: shape[1]], shape)
        elif is_scale(name, shape):
            arrays[name] = np.ones(shape, np.float32)
        else:
            arrays[name] = buffer[: math.prod(shape)].reshape(shape)
    return CLIP.read(Checkpoint(Path("random"), arrays), config, default_tokenizer)


def is_table(shape: tuple[int, ...]) -> bool:
    """Tell whether a tensor has a row for each token."""
    return len(shape) == 2 and shape[0] > 30_000


def is_scale(name: str, shape: tuple[int, ...]) -> bool:
    return name.endswith(("running_var", ".gamma")) or (len(shape) == 1 and name.endswith("weight"))


def inputs(config: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Make images and ids at random; either is empty if the model has no such tower."""
    random = np.random.default_rng(1)
    size, text = config.preprocess.size, config.text
    images = random.standard_normal((count, 3, size, size), np.float32) if config.vision is not None else np.empty(0)
    if text is None:
        return images, np.empty(0)
    ids = np.full((count, text.context_length), text.pad_id)
    length = min(TOKENS, text.context_length)
    ids[:, :length] = random.integers(2, min(text.vocab_size - 2, 40_000), (count, length))
    ids[:, length - 1] = getattr(text, "end_id", None) or text.vocab_size - 1
    return images, ids


# --- measuring ------------------------------------------------------------------------------------------------------


def alone(config: Any, tower: str) -> Any:
    """Return the config of one tower: "vision" or "text"."""
    return replace(config, decoder=None, sigmoid=False, **{"text" if tower == "vision" else "vision": None})


class Tower:
    """One tower, and inputs for it."""

    def __init__(self, config: Any, tower: str) -> None:
        config = alone(config, tower)
        model = make_model(config)
        images, ids = inputs(config, BATCH)
        self._embed, self._inputs = (
            (model.encode_image, images) if tower == "vision" else (model.encode_text, ids[:TEXTS])
        )
        found = self._embed(self._inputs[:1])  # prepares the weights
        assert np.isfinite(found).all(), "random weights made numbers that are not finite"

    def seconds(self, count: int) -> float:
        """Embed so many inputs."""
        start = time.perf_counter()
        self._embed(self._inputs[:count])
        return time.perf_counter() - start


def depths(config: Any, tower: str) -> list[tuple[Any, int]]:
    """Return the config and its number of blocks; with two small numbers of blocks, if it is large."""
    part = getattr(config, tower)
    layers = part.layers if isinstance(getattr(part, "layers", None), int) else 0
    if layers <= MORE or 4 * count_parameters(alone(config, tower)) <= MOST_BYTES:
        return [(config, layers)]
    return [(replace(config, **{tower: replace(part, layers=fewer)}), fewer) for fewer in (FEW, MORE)]


def in_turn(towers: list[Tower], count: int) -> list[float]:
    """Return the median seconds of all, measured in turn."""
    rounds: list[list[float]] = []
    while len(rounds) < 3 or (len(rounds) < ROUNDS and sum(map(sum, rounds)) < SECONDS):
        rounds.append([tower.seconds(count) for tower in towers])
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def working_memory(tower: Tower) -> tuple[int, float]:
    """Return the bytes that a batch needs beside the weights, and its seconds."""
    before = reset_peak()
    seconds = tower.seconds(BATCH)
    return resident("VmHWM") - before, seconds


def measure(name: str, which: str) -> dict[str, object]:
    """Measure one tower of an architecture, in this process."""
    import numpyclip.dual_encoder.clip  # noqa: F401  the interpreter with all that is imported

    interpreter = resident("VmRSS")
    config = read_config(name)
    parts = depths(config, which)
    base, *others = [Tower(part, which) for part in (read_config(BASE), *(part for part, _ in parts))]
    working, seconds = working_memory(others[0])  # what blocks need does not depend on their number
    seconds *= parts[-1][1] / parts[0][1] if len(parts) > 1 else 1
    count = TEXTS if which == "text" else min(BATCH, max(1, int(TURN * BATCH / seconds)))
    unit, *found = in_turn([base, *others], count)
    whole = found[-1]
    if len(parts) > 1:
        (_, few), (_, more) = parts
        whole = found[0] + (found[1] - found[0]) / (more - few) * (getattr(config, which).layers - few)
    rate = 1.0 if name == BASE else rounded(unit / whole)
    facts = {"rate": rate, "working": working, "interpreter": interpreter}
    return {**facts, "extrapolated": True} if len(parts) > 1 else facts


def rounded(value: float) -> float:
    """Round to three digits."""
    return float(f"{value:.3g}")


# --- the files ------------------------------------------------------------------------------------------------------


def supported() -> list[str]:
    """Return the names of architectures with published weights that can be run."""
    from numpyclip.families.locate import find_architecture, is_supported
    from numpyclip.weights.published import architectures

    known = map(find_architecture, architectures())
    return [each.name for each in known if any(is_supported(each, model) for model in each.models.values())]


def towers(names: list[str]) -> dict[str, dict[str, str]]:
    """Name the towers of each architecture by the first one that has the same; its vision tower and its text tower."""
    first: dict[str, str] = {}
    found: dict[str, dict[str, str]] = {}
    for name in sorted(names, key=lambda name: name != BASE):
        config = read_config(name)
        for which in ("vision", "text"):
            if (part := getattr(config, which)) is not None:
                what = repr((replace(part, eps=0.0) if hasattr(part, "eps") else part, config.preprocess.size))
                same = f"{which} {what if which == 'vision' else what.rpartition(',')[0]}"
                found.setdefault(name, {})[which] = first.setdefault(same, f"{which} {name}")
    return found


def read(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    return found


def lines(found: dict[str, dict[str, Any]]) -> str:
    """Write one line for each entry."""
    return ",\n".join(f"{json.dumps(name)}: {json.dumps(facts)}" for name, facts in sorted(found.items()))


def facts_of(name: str, used: dict[str, str], measured: dict[str, dict[str, Any]]) -> dict[str, object]:
    """Put together what is known of an architecture: its parameters, and if all its towers are measured, the rest."""
    found: dict[str, object] = {"parameters": in_millions(read_config(name))}
    mine = {which: measured[tower] for which, tower in used.items() if tower in measured}
    if len(mine) < len(used):
        return found
    beside = max(tower["interpreter"] + tower["working"] for tower in mine.values())
    found["megabytes"] = round((4 * count_parameters(read_config(name)) + beside) / 1e6)
    found |= {words: mine[which]["rate"] for which, words in (("vision", "images"), ("text", "texts")) if which in mine}
    return found | ({"extrapolated": True} if any("extrapolated" in tower for tower in mine.values()) else {})


def record(used: dict[str, dict[str, str]], measured: dict[str, dict[str, Any]]) -> None:
    """Write both files."""
    RESULTS.write_text(f"{{\n{lines(measured)}\n}}\n")
    found = {name: facts_of(name, mine, measured) for name, mine in used.items()}
    SPEEDS.write_text(f"{{\n{lines(found)}\n}}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="architectures (default: all that are supported)")
    parser.add_argument("--again", action="store_true", help="also towers that are in the file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--here", choices=("vision", "text"), help=argparse.SUPPRESS)  # in this process, and print
    given = parser.parse_args()
    if given.here:
        print(json.dumps(measure(given.names[0], given.here)))
        return
    env = {**os.environ, "NUMPYCLIP_CACHE": "0"}
    env |= {f"{library}_NUM_THREADS": str(given.threads) for library in ("OPENBLAS", "MKL", "OMP")}
    used, measured = towers(supported()), read(RESULTS)
    wanted = dict.fromkeys(tower for name in given.names or used for tower in used[name].values())
    wanted = [tower for tower in wanted if given.again or tower not in measured]
    print(
        f"{len(wanted)} towers of {len(used)} architectures: about {len(wanted) * USUAL / 60:.0f} minutes", flush=True
    )
    for number, tower in enumerate(wanted, 1):
        start = time.perf_counter()
        which, name = tower.split()
        command = [sys.executable, __file__, name, "--here", which]
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            print(f"{tower}: could not be measured", file=sys.stderr, flush=True)
            continue
        measured[tower] = json.loads(done.stdout)
        record(used, measured)
        print(f"{number}: {tower}: {measured[tower]} ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
