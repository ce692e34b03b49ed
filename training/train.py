"""Train the embedded model.

    python train.py DATA RUN --stage 1
    python train.py DATA RUN2 --stage 2 --init RUN/best.pt

The first stage learns emoji by many hands, and after a tenth of it icons, too: many drawings of few concepts teach far
faster than the reverse. The second adds clip art, furniture, and synonyms of WordNet.

The same command starts and goes on. It may be killed at any moment: RUN/state.pt is replaced every few minutes, as a
whole, and every batch is a function of (seed, step), so that a run that goes on makes the batches that it would have
made. RUN/best.pt has the averaged weights with the best mean of Recall@5 on two vendors and a tenth of the emoji that
are never trained on; RUN/loss.csv and RUN/recall.csv have the curves, which plot.py draws.
"""

import argparse
import copy
import csv
import fcntl
import math
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from batches import Batches, Pool
from model import CLIP
from recall import Recall
from sources import sets
from splits import seen_captions
from tokens import Tokenizer


@dataclass(frozen=True)
class Stage:
    """What a stage is trained on, and how.

    Attributes
    ----------
    steps : int
        Of the cosine by which the rate falls.
    rate : float
        Learning rate at its highest.
    icon_share : float
        Of a batch, once icons join.
    icon_start : float
        Part of the stage after which they do.
    left_out : tuple of str
        Sets that are not in it yet.
    words : (float, float)
        Shares of texts that are a synonym or a wider word, and that are a narrower one.
    favoured : dict of str to float
        Sets that are drawn more often: clip art shows things, where icons show signs.
    """

    steps: int
    rate: float
    icon_share: float
    icon_start: float
    left_out: tuple[str, ...]
    words: tuple[float, float]
    favoured: dict[str, float] = field(default_factory=dict)


STAGES = {
    1: Stage(14_000, 1.5e-3, 0.3, 0.1, ("openclipart", "sweethome3d"), (0.0, 0.0)),
    2: Stage(12_000, 8e-4, 0.45, 0.0, (), (0.12, 0.12), {"openclipart": 2.0, "sweethome3d": 2.0}),
}
WIDTH = 24  # of the ResNet
BATCH = 256
DECAY = 0.1  # of weights, but for vectors and embeddings: rows of rare tokens must not fade between their few updates
WARM_UP = 200  # steps
SMOOTHING = 0.02
SEED = 0
SAVE_EVERY, MEASURE_EVERY = 240, 600  # seconds
SCORED = ("twemoji", "openmoji", "noto_held")


def loss_of(model: CLIP, images: torch.Tensor, texts: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Compare all texts with all pictures of a batch, without the pairs that might be right as well."""
    logits = (model.logit_scale.exp() * texts @ images.T).masked_fill(same, -1e4)
    others = (~same).float()  # smoothing spreads over these, by hand: masked pairs must not take part

    def cross_entropy(rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        log = rows.log_softmax(1)
        return -((1 - SMOOTHING) * log.diagonal() + SMOOTHING * (log * weights).sum(1) / weights.sum(1)).mean()

    return (cross_entropy(logits, others) + cross_entropy(logits.T, others.T)) / 2


def average(averaged: CLIP, model: CLIP, step: int) -> None:
    """Move the averaged weights towards the model's."""
    keep = min(0.999, (step + 1) / (step + 10))
    with torch.no_grad():
        for mine, new in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(new, 1 - keep)
            else:
                mine.copy_(new)


def save(values: dict[str, Any], path: Path) -> None:
    """Write a checkpoint: readers and crashes see the old file or the new one."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        torch.save(values, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


class Log:
    """A CSV file. Rows behind the step that a run goes on from are dropped: no step counts twice."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        if path.exists():
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            kept = [row for row in rows if row["step"] and int(row["step"]) <= step]
            if len(kept) < len(rows):
                part = path.with_suffix(".part")
                with part.open("w", newline="") as file:
                    writer = csv.DictWriter(file, list(rows[0]))
                    writer.writeheader()
                    writer.writerows(kept)
                part.replace(path)

    def __call__(self, row: dict[str, Any]) -> None:
        with self._path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


class Run:
    """One stage of training, as far as it has come."""

    def __init__(self, data: Path, folder: Path, stage: Stage, init: Path | None) -> None:
        self.data, self.folder, self.stage = data, folder, stage
        trained_on = [drawn for drawn in sets().values() if drawn.is_trained_on and drawn.name not in stage.left_out]
        self.emoji = [drawn.name for drawn in trained_on if drawn.group == "emoji"]
        self.icons = [drawn.name for drawn in trained_on if drawn.group == "icons"]
        torch.manual_seed(SEED)
        self.model = CLIP(WIDTH).to(memory_format=torch.channels_last)
        if init is not None:
            self.model.load_state_dict(torch.load(init, weights_only=True)["averaged"])
        self.averaged = copy.deepcopy(self.model).eval()
        named = list(self.model.named_parameters())
        is_free = {name: weight.ndim < 2 or "embedding" in name for name, weight in named}
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [weight for name, weight in named if not is_free[name]], "weight_decay": DECAY},
                {"params": [weight for name, weight in named if is_free[name]], "weight_decay": 0.0},
            ],
            lr=stage.rate,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.step, self.best, self._spent = 0, -1.0, 0.0
        if (state_file := folder / "state.pt").exists():
            state = torch.load(state_file, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.best, self._spent = state["step"], state["best"], state["seconds"]
        self._begin = time.monotonic()
        self.tokenizer = Tokenizer()
        self.recall = Recall(data, self.tokenizer, seen_captions(data, self.emoji))
        self._losses_log, self._recall_log = Log(folder / "loss.csv", self.step), Log(folder / "recall.csv", self.step)

    @property
    def seconds(self) -> float:
        """Of training, over all processes."""
        return round(self._spent + time.monotonic() - self._begin, 1)

    def batches(self) -> Iterator[tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Make all batches that are left: first of emoji alone, then with the icons."""
        icons_from = int(self.stage.icon_start * self.stage.steps)
        for icons, share, last in (([], 0.0, icons_from), (self.icons, self.stage.icon_share, self.stage.steps)):
            if self.step < last:
                pool = Pool(self.data, self.emoji, icons, self.stage.favoured)
                print(f"{len(pool.known)} drawings, {len(pool.captions)} captions", flush=True)
                batches = Batches(pool, self.tokenizer, SEED, BATCH, share, self.stage.words)
                yield from batches.ordered(self.step, last)

    def learn(self, images: torch.Tensor, tokens: torch.Tensor, same: torch.Tensor) -> tuple[float, float]:
        """Do one step; return the loss and the rate."""
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.step / self.stage.steps)
        rate = self.stage.rate * min(1, (self.step + 1) / WARM_UP) * cosine + 1e-6
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            embedded = self.model.image(images), self.model.text(tokens)
        loss = loss_of(self.model, *embedded, same)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
        average(self.averaged, self.model, self.step)
        self.step += 1
        if not math.isfinite(value := loss.item()):
            raise SystemExit(f"loss {value} at step {self.step}; state.pt is from before it")
        return value, rate

    def measure(self) -> None:
        """Measure the averaged weights, and keep them if they are the best so far."""
        found = self.recall(self.averaged)
        score = round(sum(found[f"{test}_r5"] for test in SCORED) / len(SCORED), 3)
        self._recall_log({"step": self.step, "seconds": self.seconds, **found, "score": score})
        if score > self.best:
            self.best = score
            save({"averaged": self.averaged.state_dict(), "step": self.step, "recall": found}, self.folder / "best.pt")

    def checkpoint(self) -> None:
        values = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "best": self.best,
            "seconds": self.seconds,
        }
        save(values, self.folder / "state.pt")

    def log(self, losses: list[float], rate: float, seconds: float) -> None:
        row = {
            "step": self.step,
            "seconds": self.seconds,
            "loss": round(float(np.mean(losses)), 4),
            "rate": f"{rate:.2e}",
            "scale": round(self.model.logit_scale.exp().item(), 2),
            "drawings_per_s": round(len(losses) * BATCH / seconds, 1),
        }
        self._losses_log(row)


def train(run: Run) -> None:
    """Go on until all steps are done, or somebody says stop."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.append(1))
    measured = run.seconds // MEASURE_EVERY  # by the time of the whole run: restarts do not put it off
    last_saved = last_logged = time.monotonic()
    losses: list[float] = []
    for number, *batch in run.batches():
        assert number == run.step
        loss, rate = run.learn(*batch)
        losses.append(loss)
        now = time.monotonic()
        if run.step % 100 == 0:
            run.log(losses, rate, now - last_logged)
            losses, last_logged = [], now
        is_due = run.seconds // MEASURE_EVERY > measured or run.step == run.stage.steps
        if is_due:
            run.measure()
            last_logged += time.monotonic() - now
            measured = run.seconds // MEASURE_EVERY
        if is_due or stopped or now - last_saved > SAVE_EVERY:  # after a measurement: best.pt and state.pt agree
            run.checkpoint()
            last_saved = time.monotonic()
        if stopped:
            break
    print(f"{'finished' if run.step >= run.stage.steps else 'stopped'} at step {run.step}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of checkpoints and logs")
    parser.add_argument("--stage", type=int, choices=list(STAGES), required=True)
    parser.add_argument("--init", type=Path, help="averaged weights to begin with: best.pt of the stage before")
    parser.add_argument("--threads", type=int, default=1, help="of the model; one more process makes the batches")
    given = parser.parse_args()
    if given.stage > 1 and given.init is None:
        parser.error("--init is needed: best.pt of the stage before")
    torch.set_num_threads(given.threads)
    given.run.mkdir(parents=True, exist_ok=True)
    with (given.run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f"another process trains in {given.run}") from None
        (given.run / "pid").write_text(f"{os.getpid()}\n")
        train(Run(given.data, given.run, STAGES[given.stage], given.init))


if __name__ == "__main__":
    main()
