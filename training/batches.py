"""Batches: sampling, augmentation and captions of drawings. Each is a function of (seed, step) alone."""

import random
import signal
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from captions import COLOURS, Shares, may_be_mirrored, names_colour, said, scene
from pictures import Looks, drawn, normalised
from pool import Pool
from tokens import CONTEXT, Tokenizer, padded

_SHORT = 24  # tokens of a training text, but for a few that are read whole
_WHOLE = 50  # every so many steps
_DROPOUT = 0.1  # share of words that fall apart
_NOUNS = 64  # of the dictionary in a batch


class Batch(NamedTuple):
    """What a step learns from."""

    step: int
    images: Tensor  # (size, 3, 64, 64)
    tokens: Tensor  # (size + 2 nouns, length): texts of the images, words of the dictionary, their meanings
    same: Tensor  # (size, size): texts that fit the images of others, too
    same_meaning: Tensor  # (nouns, nouns)


class Batches(torch.utils.data.Dataset):
    """Batch number `step`: pixels, tokens, and the pairs whose texts cannot be told apart.

    Parameters
    ----------
    pool : Pool
    tokenizer : Tokenizer
    seed, size : int
    icon_share : float
    shares : Shares
    """

    def __init__(
        self, pool: Pool, tokenizer: Tokenizer, seed: int, size: int, icon_share: float, shares: Shares
    ) -> None:
        self._pool, self._tokenizer = pool, tokenizer
        self._seed, self._size, self._icon_share, self._shares = seed, size, icon_share, shares

    def __getitem__(self, step: int) -> Batch:
        rng = random.Random(self._seed * 1_000_003 + step)
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        chosen = self._pool.draw(np.random.default_rng([self._seed, step]), self._size, self._icon_share)
        looks, texts = planned(self._pool, chosen, rng, self._shares)
        nouns = rng.sample(self._pool.dictionary, _NOUNS)
        meanings = [rng.choice(others) for _, others in nouns]
        ids = [self._tokenizer(text, rng, _DROPOUT) for text in (*texts, *(noun for noun, _ in nouns), *meanings)]
        captions = [[self._pool.known[number]["cap"]] for number in chosen]
        return Batch(
            step,
            normalised(drawn(self._pool, chosen, looks, self._shares, generator)),
            padded(ids, CONTEXT if step % _WHOLE == 0 else _SHORT),
            _same(texts, captions),
            _same(meanings, [[noun, *others] for noun, others in nouns]),
        )

    def ordered(self, first: int, last: int) -> Iterator[Batch]:
        """Make batches in a process of their own, ahead of the model."""
        loader = torch.utils.data.DataLoader(
            self, None, sampler=range(first, last), num_workers=1, prefetch_factor=4, worker_init_fn=_deafen
        )
        return iter(loader)


def _deafen(_: int) -> None:
    """Leave it to the training to stop: its batches end with it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _same(texts: list[str], fitting: list[list[str]]) -> Tensor:
    """Tell which texts also fit what others stand for."""
    equal_or_fitting = [{text, *more} for text, more in zip(texts, fitting, strict=True)]
    return torch.tensor([[text in fit for fit in equal_or_fitting] for text in texts]).fill_diagonal_(False)


def planned(pool: Pool, chosen: list[int], rng: random.Random, shares: Shares) -> tuple[Looks, list[str]]:
    """Choose what is done to drawings, and words that are true of it."""
    looks, texts, twin = Looks.plain(len(chosen)), [], None
    for row, number in enumerate(chosen):
        known = pool.known[number]
        if rng.random() < shares.scenes:  # which are not mirrored: right is right
            if twin is None:
                other = rng.randrange(len(pool.known))
                shown, contrast = scene(known["cap"], pool.known[other]["cap"], rng)
                twin = contrast and (number, other, contrast)
            else:  # what the scene before is not, in the place of this drawing
                number, other, shown = twin
                twin = None
            looks.scenes[row] = number, other, shown.places
            texts.append(shown.text)
            continue
        colour = background = None
        has_colour = names_colour(known["cap"])
        if pool.is_black[number] and not has_colour and rng.random() < 0.6:
            name = rng.choice(list(COLOURS))
            looks.tint[row] = _nearly(name, rng)
            colour = name if rng.random() < 0.25 else None
        elif not pool.is_black[number] and rng.random() < 0.2:
            name = rng.choice(list(COLOURS))
            looks.solid[row] = _nearly(name, rng)
            background = name if rng.random() < 0.3 else None
        looks.is_worded[row] = bool(colour or background or has_colour)
        if rng.random() < 0.3 and may_be_mirrored(known["cap"]):
            looks.flip[row] = -1
        texts.append(said(known, rng, shares, colour, background))
    return looks, texts


def _nearly(colour: str, rng: random.Random) -> Tensor:
    return torch.tensor([min(1, max(0, part + rng.uniform(-0.08, 0.08))) for part in COLOURS[colour]])
