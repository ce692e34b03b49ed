"""How fast NumPyCLIP runs each architecture of OpenCLIP, relative to ViT-B/32, and in how much memory.

    python benchmarks/architectures.py [NAME ...] [--again] [--threads 2]

Needs no other library and no disk: the weights are random, of the true sizes, and made in memory, where all tensors
share one buffer. Each architecture is measured in a process of its own, in turn with ViT-B/32, and recorded at once in
src/numpyclip/data/speeds.json, so that it can be stopped and started again: what is there is left out unless --again.
The number of parameters is counted, and recorded of all.

Seconds are medians over rounds in which ViT-B/32 and the other embed the same number of images (1 to 8) or texts
(8, of 12 tokens; the whole context length where padding is attended to). A transformer of more than 3 GB is measured
with two smaller numbers of blocks, from which the whole is extrapolated; the file says so. Memory is four bytes for
each parameter, the interpreter, and what a batch of eight images or texts needs beside the weights. On Linux.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
SPEEDS = ROOT / "src" / "numpyclip" / "data" / "speeds.json"
BASE = "ViT-B-32"

MOST_BYTES = 3e9  # of a tower
BATCH, TEXTS, TOKENS = 8, 8, 12
ROUNDS, SECONDS = 15, 20.0  # of one tower, at most; never fewer than three rounds
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
    largest = max(math.prod(shape) for name, shape in shapes.items() if not is_table(name))
    buffer = np.random.default_rng(0).standard_normal(largest, np.float32)
    buffer *= np.float32(0.03)
    arrays = {}
    for name, shape in shapes.items():
        if is_table(name):  # one row stands for all
            arrays[name] = np.broadcast_to(buffer[: shape[1]], shape)
        elif is_scale(name, shape):
            arrays[name] = np.ones(shape, np.float32)
        else:
            arrays[name] = buffer[: math.prod(shape)].reshape(shape)
    return CLIP.read(Checkpoint(Path("random"), arrays), config, default_tokenizer)


def is_table(name: str) -> bool:
    return name.endswith("token_embedding.weight")


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


def encoder(config: Any, tower: str, count: int) -> Callable[[], object]:
    """Make one tower, and return what embeds so many inputs with it."""
    config = alone(config, tower)
    model = make_model(config)
    images, ids = inputs(config, count)
    embed = (lambda: model.encode_image(images)) if tower == "vision" else (lambda: model.encode_text(ids))
    found = embed()  # prepares the weights
    assert np.isfinite(found).all(), "random weights made numbers that are not finite"
    return embed


def seconds_of(embed: Callable[[], object]) -> float:
    start = time.perf_counter()
    embed()
    return time.perf_counter() - start


def in_turn(base: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Return the median seconds of both, measured in turn."""
    rounds: list[tuple[float, float]] = []
    while len(rounds) < 3 or (len(rounds) < ROUNDS and sum(map(sum, rounds)) < SECONDS):
        rounds.append((seconds_of(base), seconds_of(other)))
    first, second = zip(*rounds, strict=True)
    return statistics.median(first), statistics.median(second)


def depths(config: Any, tower: str) -> Iterator[tuple[Any, int]]:
    """Yield the config with its number of blocks; two smaller numbers, if all do not fit in the memory."""
    part = getattr(config, tower)
    size = 4 * count_parameters(alone(config, tower))
    layers = part.layers if isinstance(getattr(part, "layers", None), int) else 0
    if size <= MOST_BYTES or not layers:
        yield config, layers
        return
    most = int(layers * MOST_BYTES / size)
    for fewer in (most // 3, most):
        yield replace(config, **{tower: replace(part, layers=fewer)}), fewer


def relative_speed(name: str, tower: str) -> tuple[float | None, bool]:
    """Return inputs per second over those of ViT-B/32, and whether it was extrapolated."""
    config, base_config = read_config(name), read_config(BASE)
    if getattr(config, tower) is None:
        return None, False
    points = []
    for part, layers in depths(config, tower):
        count = TEXTS if tower == "text" else batch_size(part)
        points.append((layers, *in_turn(encoder(base_config, tower, count), encoder(part, tower, count)), count))
    if len(points) == 1:
        _, base, other, _ = points[0]
        return base / other, False
    (few, base_few, other_few, count_few), (most, base_most, other_most, count_most) = points
    low, high = other_few / count_few, other_most / count_most
    whole = low + (high - low) / (most - few) * (getattr(config, tower).layers - few)
    return statistics.mean((base_few / count_few, base_most / count_most)) / whole, True


def batch_size(config: Any) -> int:
    """Return how many images take about two seconds, 1 to 8."""
    return min(BATCH, max(1, int(2 / seconds_of(encoder(config, "vision", 1)))))


def working_memory(name: str) -> int:
    """Return the bytes that a batch needs beside the weights: the more of both towers."""
    found = 0
    for tower in ("vision", "text"):
        config = read_config(name)
        if getattr(config, tower) is not None:
            embed = encoder(next(depths(config, tower))[0], tower, BATCH)
            Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now
            before = resident("VmRSS")
            embed()
            found = max(found, resident("VmHWM") - before)
            del embed
    return found


def resident(which: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(which))


def measure(name: str) -> dict[str, object]:
    """Measure one architecture, in this process."""
    import numpyclip.dual_encoder.clip  # noqa: F401  the interpreter with all that is imported

    interpreter = resident("VmRSS")
    weights = 4 * count_parameters(read_config(name))
    megabytes = (weights + interpreter + working_memory(name)) / 1e6
    is_unit = name == BASE
    images, fewer = (1.0, False) if is_unit else relative_speed(name, "vision")
    texts, fewer_too = (1.0, False) if is_unit else relative_speed(name, "text")
    facts: dict[str, object] = {"parameters": in_millions(read_config(name)), "megabytes": round(megabytes)}
    facts |= {key: rounded(value) for key, value in (("images", images), ("texts", texts)) if value}
    return facts | ({"extrapolated": True} if fewer or fewer_too else {})


def rounded(value: float) -> float:
    """Round to three digits."""
    return float(f"{value:.3g}")


# --- the file -------------------------------------------------------------------------------------------------------


def supported() -> list[str]:
    """Return the names of architectures with published weights that can be run."""
    from numpyclip.families.locate import find_architecture, is_supported
    from numpyclip.weights.published import architectures

    known = map(find_architecture, architectures())
    return [each.name for each in known if any(is_supported(each, model) for model in each.models.values())]


def recorded() -> dict[str, dict[str, object]]:
    """Return what is in the file, by architecture."""
    found: dict[str, dict[str, object]] = json.loads(SPEEDS.read_text())["architectures"] if SPEEDS.exists() else {}
    return found


def record(found: dict[str, dict[str, object]]) -> None:
    """Add measurements to the file, one line each, by name."""
    lines = [f"{json.dumps(name)}:{json.dumps(facts)}" for name, facts in sorted((recorded() | found).items())]
    SPEEDS.write_text('{"architectures":{\n' + ",\n".join(lines) + "}}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="architectures (default: all that are supported)")
    parser.add_argument("--again", action="store_true", help="also those that are in the file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # measure in this process, and print
    given = parser.parse_args()
    if given.here:
        print(json.dumps(measure(given.names[0])))
        return
    env = {**os.environ, "NUMPYCLIP_CACHE": "0"}
    env |= {f"{library}_NUM_THREADS": str(given.threads) for library in ("OPENBLAS", "MKL", "OMP")}
    names = supported()
    there = recorded()
    record({name: {"parameters": in_millions(read_config(name))} for name in names if name not in there})
    for name in given.names or names:
        if "images" in there.get(name, {}) and not given.again:
            continue
        start = time.perf_counter()
        command = [sys.executable, __file__, name, "--here"]
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            print(f"{name}: could not be measured", file=sys.stderr, flush=True)
            continue
        record({name: json.loads(done.stdout)})
        print(f"{name}: {done.stdout.decode().strip()} ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
