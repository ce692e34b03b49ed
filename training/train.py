"""Train the embedded model.

    python train.py DATA RUN
    python train.py DATA RUN --init FILE.npz   # go on from weights that export.py wrote, in a model that may be deeper

First it learns emoji by many hands: many drawings of few concepts teach far faster than the reverse. Then all drawings
take part, and texts say more than a name. Beside the pictures, words learn what they mean: each noun of a dictionary is
told from others by its synonyms, wider words and definition, so that those that no drawing shows mean something, too.

The same command starts and goes on. It may be killed at any moment: RUN/state.pt is replaced every ten minutes, as a
whole, and every batch is a function of (seed, step). So the weights are the same, bit for bit, however often a run was
stopped, on one machine with one number of threads. Averaged weights are what is measured, and the last ones are
exported, not those that do best in a test. RUN/loss.csv and RUN/recall.csv have the curves, which plot.py draws.
"""

import argparse
import copy
import ctypes
import fcntl
import math
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from batches import Batch, Batches
from captions import Shares
from model import CLIP
from muon import HAS_BFLOAT16, Muon
from pool import Pool
from recall import Recall
from records import Log, save
from sources import names
from splits import seen_captions
from tokens import Tokenizer
from warm_start import begin_with

EMOJI_STEPS = 1_400  # with emoji alone, unless what they teach is known from the start
STEPS = 7_800
WARM_RATE = 0.6  # of the highest rate, for weights that have been trained
FADE = 0.35  # part of the steps at whose end the rate falls to nothing, in a line (Hägele et al., 2024)
MATRIX_RATE, RATE = 4e-3, 1.5e-3  # Muon's and AdamW's, at their highest
ICONS = 0.45  # share of a batch that is no emoji, once all drawings take part
FAVOURED = {"openclipart": 2.0, "sweethome3d": 2.0}  # which show things, where icons show signs
EMOJI_SHARES = Shares()
SHARES = Shares(words=0.1, narrower=0.1, definition=0.05, plural=0.05, scenes=0.16, bent=0.6, tinged=0.3)
MEANING = 0.25  # weight of the dictionary in the loss
BLOCKS, WIDTH = (1, 2, 4, 2), 24  # of the ResNet
HEAD = 64  # rows of a head of attention
BATCH = 256
DECAY = 0.1  # of matrices; not of embeddings: rows of rare tokens must not fade between their few updates
WARM_UP = 200  # steps
SMOOTHING = 0.02
SEED = 0
SAVE_EVERY, MEASURE_EVERY = 600, 500  # seconds, steps
FEW_TOKENS = 9  # of most texts


def untrained() -> CLIP:
    """Return the model that training begins with."""
    torch.manual_seed(SEED)
    return CLIP(BLOCKS, WIDTH)


class Schedule(NamedTuple):
    """How many steps there are, how many of them with emoji alone, and the part of the highest rate that is reached.

    `steps` may change until the rate falls: before, they are all alike.
    """

    steps: int
    emoji_steps: int = EMOJI_STEPS
    highest: float = 1.0

    def rate(self, step: int) -> float:
        """Return the part of the highest rate that a step has: it rises, stays, and falls."""
        return self.highest * max(0.001, min(1, (step + 1) / WARM_UP, (self.steps - step) / (FADE * self.steps)))


def loss_of(model: CLIP, those: Tensor, texts: Tensor, same: Tensor) -> Tensor:
    """Compare all texts with all pictures, or words, of a batch, without the pairs that might be right as well."""
    logits = (model.logit_scale.exp() * texts @ those.T).masked_fill(same, -1e4)
    compared = (~same).float()  # smoothing spreads over these, by hand: masked pairs must not take part

    def cross_entropy(rows: Tensor, weights: Tensor) -> Tensor:
        log = rows.log_softmax(1)
        return -((1 - SMOOTHING) * log.diagonal() + SMOOTHING * (log * weights).sum(1) / weights.sum(1)).mean()

    return (cross_entropy(logits, compared) + cross_entropy(logits.T, compared.T)) / 2


def by_length(embed: Callable[[Tensor], Tensor], tokens: Tensor) -> Tensor:
    """Embed most texts without the padding that a few long ones need."""
    is_short = tokens.argmax(1) < FEW_TOKENS
    if is_short.all() or not is_short.any():
        return embed(tokens)
    order = torch.cat([is_short.nonzero()[:, 0], (~is_short).nonzero()[:, 0]])
    return torch.cat([embed(tokens[is_short, :FEW_TOKENS]), embed(tokens[~is_short])])[order.argsort()]


def optimisers(model: CLIP) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Return Muon for matrices, and AdamW for vectors and embeddings."""
    matrices: dict[int, list[nn.Parameter]] = {0: [], HEAD: []}
    others = []
    for name, weight in model.named_parameters():
        if weight.ndim < 2 or "embedding" in name:
            others.append(weight)
        else:
            matrices[HEAD if re.search(r"[qkv]_proj|in_proj", name) else 0].append(weight)
    groups = [{"params": weights, "rows": rows} for rows, weights in matrices.items()]
    return Muon(groups, MATRIX_RATE, DECAY), torch.optim.AdamW(
        others, RATE, betas=(0.9, 0.98), weight_decay=0, fused=True
    )


def average(averaged: CLIP, model: CLIP, step: int) -> None:
    """Move the averaged weights towards the model's."""
    keep = min(0.999, (step + 1) / (step + 10))
    with torch.no_grad():
        for mine, new in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(new, 1 - keep)
            else:
                mine.copy_(new)


class Run:
    """The training, as far as it has come."""

    def __init__(self, data: Path, folder: Path, schedule: Schedule, init: Path | None = None) -> None:
        self.data, self.folder, self.schedule = data, folder, schedule
        self.emoji, self.icons = names("emoji"), names("icons", "things")
        self.model = untrained().to(memory_format=torch.channels_last)
        if init:
            begin_with(self.model, init)
        self.averaged = copy.deepcopy(self.model).eval()
        self.optimisers = optimisers(self.model)
        self._images, self._texts = torch.compile(self.model.image), torch.compile(self.model.text, dynamic=True)
        self.step, self._spent = 0, 0.0
        if (state_file := folder / "state.pt").exists():
            state = torch.load(state_file, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.averaged.load_state_dict(state["averaged"])
            for optimiser, values in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(values)
            self.step, self._spent = state["step"], state["seconds"]
        self._begin = time.process_time()
        self.tokenizer = Tokenizer()
        self.recall = Recall(data, self.tokenizer, seen_captions(data, self.emoji))
        self._losses_log, self._recall_log = Log(folder / "loss.csv", self.step), Log(folder / "recall.csv", self.step)

    @property
    def cpu_seconds(self) -> float:
        """Seconds of processors, spent on training since its first step; the process of the batches has its own."""
        return round(self._spent + time.process_time() - self._begin, 1)

    def batches(self) -> Iterator[Batch]:
        """Make all batches that are left: first of emoji alone, then of all."""
        emoji_steps, steps = self.schedule.emoji_steps, self.schedule.steps
        for icons, share, shares, last in ([], 0.0, EMOJI_SHARES, emoji_steps), (self.icons, ICONS, SHARES, steps):
            if self.step < last:
                pool = Pool(self.data, self.emoji, icons, FAVOURED)
                print(f"{len(pool.known)} drawings, {len(pool.names)} names", flush=True)
                yield from Batches(pool, self.tokenizer, SEED, BATCH, share, shares).ordered(self.step, last)

    def learn(self, batch: Batch) -> tuple[float, float]:
        """Do one step; return the losses of pictures and of words."""
        for optimiser, highest in zip(self.optimisers, (MATRIX_RATE, RATE), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = highest * self.schedule.rate(self.step)
        with torch.autocast("cpu", torch.bfloat16, enabled=HAS_BFLOAT16):
            images, texts = self._images(batch.images), by_length(self._texts, batch.tokens)
        texts, nouns, meanings = texts.split([BATCH, *[(len(texts) - BATCH) // 2] * 2])
        loss = loss_of(self.model, images, texts, batch.same)
        words_loss = loss_of(self.model, nouns, meanings, batch.same_meaning)
        both = loss + MEANING * words_loss
        if not both.isfinite():
            raise SystemExit(f"loss {both.item()} at step {self.step}; state.pt is from before it")
        self.model.zero_grad(set_to_none=True)
        both.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
        average(self.averaged, self.model, self.step)
        self.step += 1
        return loss.item(), words_loss.item()

    def measure(self) -> None:
        """Measure the averaged weights."""
        self._recall_log({"step": self.step, "cpu_seconds": self.cpu_seconds, **self.recall(self.averaged)})

    def checkpoint(self) -> None:
        values = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "seconds": self.cpu_seconds,
        }
        save(values, self.folder / "state.pt")

    def log(self, losses: list[tuple[float, float]], seconds: float) -> None:
        loss, words_loss = np.mean(losses, axis=0)
        row = {
            "step": self.step,
            "cpu_seconds": self.cpu_seconds,
            "loss": round(float(loss), 4),
            "words_loss": round(float(words_loss), 4),
            "rate": round(self.schedule.rate(self.step - 1), 4),
            "scale": round(self.model.logit_scale.exp().item(), 2),
            "drawings_per_s": round(len(losses) * BATCH / seconds, 1),
        }
        self._losses_log(row)


def train(run: Run) -> None:
    """Go on until all steps are done, or somebody says stop."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.append(1))
    last_saved = last_logged = time.monotonic()
    losses: list[tuple[float, float]] = []
    for batch in run.batches():
        assert batch.step == run.step
        losses.append(run.learn(batch))
        now = time.monotonic()
        if run.step % 100 == 0:
            run.log(losses, now - last_logged)
            losses, last_logged = [], now
        is_due = run.step % MEASURE_EVERY == 0 or run.step == run.schedule.steps
        if is_due:
            run.measure()
            last_logged += time.monotonic() - now
        if is_due or stopped or now - last_saved > SAVE_EVERY:
            run.checkpoint()
            last_saved = time.monotonic()
        if stopped:
            break
    print(f"{'finished' if run.step >= run.schedule.steps else 'stopped'} at step {run.step}", flush=True)


def keep_memory() -> None:
    """Have the C library keep what is freed: else the kernel clears the same pages in every step."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        trim_threshold, mmap_max = -1, -4  # malloc.h
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of checkpoints and logs")
    parser.add_argument("--threads", type=int, default=2, help="of the model; one more process makes the batches")
    parser.add_argument("--init", type=Path, metavar="FILE.npz", help="exported weights that a new run begins with")
    parser.add_argument("--steps", type=int, default=STEPS, help="at whose end the rate is zero (default: %(default)s)")
    given = parser.parse_args()
    schedule = Schedule(given.steps, 0, WARM_RATE) if given.init else Schedule(given.steps)
    torch.set_num_threads(given.threads)
    torch.use_deterministic_algorithms(True)  # else threads add up the gradient of the tokens in any order
    keep_memory()
    given.run.mkdir(parents=True, exist_ok=True)
    with (given.run / "lock").open("w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which the process of the batches does not inherit
        except OSError:
            raise SystemExit(f"another process trains in {given.run}") from None
        (given.run / "pid").write_text(f"{os.getpid()}\n")
        train(Run(given.data, given.run, schedule, given.init))


if __name__ == "__main__":
    main()
