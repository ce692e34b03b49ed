"""How near NumPyCLIP is to the limit: the operations that a tower requires, at the best rate of a matrix product.

Needs no other library: the limit is the fastest `a @ b` of float32 that NumPy does in the same run, on one thread, on
all, or as independent products on one thread each. Without models, those that `prepare.py` made are measured.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpyclip
from contest import inputs, report
from contest.arena import PAUSE, environment
from contest.files import INPUTS, ROOT, Checkpoint
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.vision.vision_config import ResNetConfig, VisionTransformerConfig

IMAGES = {"ViT-B/32": (1, 8, 32), "RN50": (16,), "ViT-L/14@336px": (1, 4)}
WITH_TEXTS = ("ViT-B/32",)


# --- operations: one multiplication and one addition count as two -------------------------------------------------


def image_operations(config: CLIPConfig) -> int:
    """Count what one picture needs."""
    vision = config.vision
    if isinstance(vision, ResNetConfig):
        return resnet_operations(vision, config.embed_dim)
    n, d = (vision.image_size // vision.patch_size) ** 2 + 1, vision.width
    patches = 2 * (n - 1) * 3 * vision.patch_size**2 * d
    return patches + transformer_operations(vision, Tokens(n, n * n, 1, n)) + 2 * d * config.embed_dim


def text_operations(config: CLIPConfig, texts: Sequence[str]) -> int:
    """Count what texts need: each once, nothing behind its end mark, and once what several of them begin with."""
    text = config.text
    rows = numpyclip.tokenize(texts, text.context_length).tolist()
    different = {tuple(row[: row.index(max(row)) + 1]) for row in rows}
    beginnings = {row[: end + 1] for row in different for end in range(len(row))}  # a token knows all before it
    tokens = Tokens(len(beginnings), sum(map(len, beginnings)), len(different), sum(map(len, different)))
    return transformer_operations(text, tokens) + 2 * len(different) * text.width * config.embed_dim


class Tokens(NamedTuple):
    """How many tokens there are, and how many look at each other; the same of the tokens that are read."""

    all: int
    looks: int
    read: int
    looks_of_read: int


def transformer_operations(tower: VisionTransformerConfig | TextConfig, tokens: Tokens) -> int:
    """Count all blocks; the last one needs all keys and values, the rest only for the tokens that are read."""
    d = tower.width
    weights = (
        4 * d * d + 2 * d * tower.mlp_width
    )  # queries, keys, values, and what joins the heads; the two layers of the MLP
    block = 2 * (tokens.all * weights + 2 * tokens.looks * d)
    keys_and_values = 2 * d * d
    rest = tokens.read * (weights - keys_and_values) + 2 * tokens.looks_of_read * d
    return (tower.layers - 1) * block + 2 * (tokens.all * keys_and_values + rest)


def resnet_operations(vision: ResNetConfig, embed_dim: int) -> int:
    """Count the convolutions, not with the zeros at the border, and the attention pooling."""
    side, c = vision.image_size // 2, vision.width
    total = convolution(3, c // 2, side, taps=_strided_taps(side))
    total += convolution(c // 2, c // 2, side) + convolution(c // 2, c, side)
    side, channels = side // 2, c
    for stage, count in enumerate(vision.layers):
        width = c * 2**stage
        for index in range(count):
            after = side // 2 if stage and not index else side
            total += 2 * channels * width * side**2 + convolution(width, width, side) + 2 * width * 4 * width * after**2
            if not index:
                total += 2 * channels * 4 * width * after**2
            side, channels = after, 4 * width
    n, d = side**2 + 1, channels
    return total + 2 * (2 * n * d * d + d * d + 2 * n * d + d * embed_dim)


def convolution(inputs: int, outputs: int, side: int, taps: int | None = None) -> int:
    """Count a convolution over 3 by 3 pixels with a border of zeros; `taps` are the pixels that a row looks at."""
    return 2 * inputs * outputs * (taps or 3 * side - 2) ** 2


def _strided_taps(side: int) -> int:
    return 3 * side - 1  # every other place: only the first one lies at the border


# --- speed --------------------------------------------------------------------------------------------------------


@dataclass
class Work:
    """Something that a process of its own measures (see contest/speed.py)."""

    label: str
    threads: int
    arguments: tuple[str, ...]
    operations: float = 0
    measured: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Measure once more: the operations a second of a product, the seconds of a tower."""
        time.sleep(PAUSE)
        command = [sys.executable, "-m", "contest.speed", *self.arguments]
        env = environment(self.threads)
        done = subprocess.run(command, env=env, cwd=ROOT / "benchmarks", stdout=subprocess.PIPE, check=True)
        self.measured.append(json.loads(done.stdout))


def towers(model: str, file: Path, threads: int) -> list[Work]:
    config = numpyclip.load(file)[0].config
    works = []
    for count in IMAGES.get(model, (1, 8, 32)):
        path = inputs.pixels(config.vision.image_size, count)
        operations = count * image_operations(config)
        works.append(Work(f"{model}, images: {count}", threads, ("images", str(file), str(path)), operations))
    for label, path in texts().items() if model in WITH_TEXTS else ():
        operations = text_operations(config, path.read_text("utf-8").splitlines())
        works.append(Work(f"{model}, {label}", threads, ("texts", str(file), str(path)), operations))
    return works


def texts() -> dict[str, Path]:
    files = {
        "one prompt": inputs.lines("prompt", ["a photo of a dog"]),
        "32 texts of 77 tokens": inputs.prompts_of_length(77, 32),
    }
    if inputs.PROMPTS.exists():  # made by prepare.py
        files["ImageNet's 1,000 prompts"] = inputs.PROMPTS
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="names of OpenAI's models, or files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    files = {model: Path(model) for model in given.models}  # measured in another folder, so whole paths
    models = {
        file.name if file.exists() else name: file.resolve() if file.exists() else name for name, file in files.items()
    }
    models = models or {model: Checkpoint(model).openai for model in IMAGES if Checkpoint(model).openai.exists()}
    if not models:
        parser.error("no models: name some, or run prepare.py first")
    INPUTS.mkdir(parents=True, exist_ok=True)
    products = [
        Work("one product, one thread", 1, ("product", "1")),
        Work(f"one product, {given.threads} threads", given.threads, ("product", "1")),
        Work(f"{given.threads} products, one thread each", 1, ("product", str(given.threads))),
    ]
    works = [work for model, file in models.items() for work in towers(model, file, given.threads)]
    for _ in range(given.rounds):
        for work in [*products, *works]:
            work.run()
    write(products, works, given.rounds, given.threads)


def write(products: list[Work], works: list[Work], rounds: int, threads: int) -> None:
    best = max(max(work.measured) for work in products)
    rates = [
        [work.label, f"{statistics.median(work.measured) / 1e9:.0f}", f"{max(work.measured) / 1e9:.0f}"]
        for work in products
    ]
    rows, shares = [], []
    for work in works:
        seconds, least = statistics.median(work.measured), work.operations / best
        shares.append(100 * least / seconds)
        gigas = f"{work.operations / 1e9:.2f}"
        rows.append([work.label, gigas, f"{1e3 * least:.1f}", f"{1e3 * seconds:.1f}", f"{shares[-1]:.0f} %"])
    report.write(
        "limit",
        "Share of the limit",
        [
            report.table(["GFLOP/s of `a @ b`", "median", "best"], rates),
            report.table(["", "GFLOP needed", "ms at the best", "ms measured", "share"], rows),
            report.bars("limit", "Share of the limit", [work.label for work in works], shares, "%"),
            f"Medians of {rounds} rounds, in turn. Needed are the products: of texts what precedes the end mark, "
            "and what several begin with once; of the last block what leads to the one token that is read; of "
            "convolutions what does not meet the border's zeros. Norms, activations and softmax are not counted.",
            report.machine(threads, peers=False),
        ],
    )


if __name__ == "__main__":
    main()
