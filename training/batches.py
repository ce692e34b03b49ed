"""Batches: which drawings, what is done to them, and what is said of them. Each is a function of (seed, step) alone."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from drawing import SIZE
from splits import Known, held_captions, is_held_out, read
from tokens import CONTEXT, Tokenizer, padded

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
_SHORT = 24  # tokens of a training text, but for a few that are read whole
_WHOLE = 50  # every so many steps
_DROPOUT = 0.1  # share of words that fall apart

COLOURS = {
    "red": (0.85, 0.12, 0.12),
    "orange": (0.95, 0.55, 0.1),
    "yellow": (0.95, 0.85, 0.15),
    "green": (0.15, 0.6, 0.2),
    "blue": (0.15, 0.3, 0.85),
    "purple": (0.5, 0.2, 0.7),
    "pink": (0.95, 0.5, 0.7),
    "brown": (0.45, 0.28, 0.12),
    "grey": (0.5, 0.5, 0.5),
    "black": (0.03, 0.03, 0.03),
}
TEMPLATES = (
    *("{}", "{}", "a {}", "{} emoji", "{} icon", "a drawing of a {}", "picture of {}", "an image of {}", "{} clip art"),
)
_PAIRS = ["{} and {}", "a {} and a {}", "{} next to {}", "a {} beside a {}"]
_TINTED = ["{} {}", "a {} {}", "{} {} icon", "a {} {} icon"]
_GROUNDS = ["{} on a {} background", "a {} on {}", "a {} on a {} background"]
# What would be another thing, mirrored.
_ONE_WAY = re.compile(
    r"arrow|letter|clock|left|right|back|forward|next|input|button|squared|keycap|sign|number|\babc|flag|digit|circled"
    r"|text|spell|play|undo|redo|quote"
)


class Pool:
    """Drawings that are trained on, by their captions. What is held out is not among them.

    Parameters
    ----------
    data : Path
    emoji, icons : sequence of str
        Names of sets.
    favoured : dict of str to float, optional
        Sets whose captions are drawn more often than others of the icons, and how much more.
    """

    def __init__(
        self, data: Path, emoji: Sequence[str], icons: Sequence[str], favoured: Mapping[str, float] | None = None
    ) -> None:
        held = held_captions(data)
        tiles: list[np.ndarray] = []
        counts: dict[str, list[int]] = {}
        favour: dict[str, float] = {}
        self.known: list[Known] = []
        self.by_caption: dict[str, list[int]] = {}
        for name in [*emoji, *icons]:
            drawn, known = read(data, name)
            keep = [
                row
                for row, entry in enumerate(known)
                if entry["cap"].strip() and entry["cap"] not in held and not is_held_out(entry["cid"])
            ]
            for row in keep:
                entry = known[row]
                self.by_caption.setdefault(entry["cap"], []).append(len(self.known))
                counts.setdefault(entry["cap"], [0, 0])[name in icons] += 1
                favour[entry["cap"]] = max(favour.get(entry["cap"], 1.0), (favoured or {}).get(name, 1.0))
                words = [word for word in entry["words"] if word not in held]
                narrower = [word for word in entry["narrower"] if word not in held]
                self.known.append({"cap": entry["cap"], "tags": entry["tags"], "words": words, "narrower": narrower})
            tiles.append(drawn[keep])
        for entry in self.known:  # an owl is no other bird's name, where there are owls
            entry["narrower"] = [word for word in entry["narrower"] if word not in self.by_caption]
        self.tiles = torch.from_numpy(np.concatenate(tiles))
        self.is_black = torch.cat([_is_black(part) for part in self.tiles.split(256)])
        self.captions = list(self.by_caption)
        roots = np.array([counts[caption] for caption in self.captions], float) ** 0.5  # sampled by the root of counts
        roots[:, 1] *= [favour[caption] for caption in self.captions]
        self._weights = roots / np.maximum(roots.sum(0), 1)

    def draw(self, rng: np.random.Generator, size: int, icon_share: float) -> list[int]:
        """Choose drawings of different captions, since others would be negatives of what they show."""
        weights = (1 - icon_share) * self._weights[:, 0] + icon_share * self._weights[:, 1]
        chosen = rng.choice(len(weights), size, replace=False, p=weights / weights.sum())
        return [int(rng.choice(self.by_caption[self.captions[number]])) for number in chosen]


def _is_black(tiles: Tensor) -> Tensor:
    """Tell of drawings in one colour, which is black: they may be given another."""
    return (tiles[..., :3].float() * tiles[..., 3:].float()).amax((1, 2, 3)) < 0.02 * 255 * 255


def said(
    known: Known, rng: random.Random, words: tuple[float, float], drawn: tuple[str | None, str | None, str | None]
) -> str:
    """Say something of a drawing.

    Parameters
    ----------
    known : dict
    rng : Random
    words : (float, float)
        Shares of texts that are a synonym or a wider word, and that are a narrower one: a magpie for a bird is not
        quite true, but else the word would mean nothing.
    drawn : (colour, background, partner)
        Names of colours that are really there, and the caption of a second drawing beside it.
    """
    caption = known["cap"]
    colour, background, partner = drawn
    if partner:
        return rng.choice(_PAIRS).format(caption, partner)
    if colour:
        return rng.choice(_TINTED).format(colour, caption)
    if background:
        return rng.choice(_GROUNDS).format(caption, background)
    for kind, share in zip(("words", "narrower"), words, strict=True):
        if share and known[kind] and rng.random() < share:
            return rng.choice(TEMPLATES).format(rng.choice(known[kind]))
    if known["tags"] and rng.random() < 0.35:
        most = rng.randint(1, 4) if rng.random() < 0.97 else 40
        tags = rng.sample(known["tags"], min(len(known["tags"]), most))
        return ", ".join(([caption] if rng.random() < 0.6 else []) + tags)
    return rng.choice(TEMPLATES).format(caption)


class _Plan:
    """What is drawn where in a batch, and the words for it."""

    def __init__(self, pool: Pool, chosen: list[int], rng: random.Random, words: tuple[float, float]) -> None:
        n = len(chosen)
        self.tint = torch.full((n, 3), -1.0)
        self.solid = torch.full((n, 3), -1.0)
        self.flip = torch.ones(n)
        self.is_worded = torch.zeros(n, dtype=torch.bool)
        self.partners: dict[int, int] = {}
        self.texts: list[str] = []
        for row, number in enumerate(chosen):
            known = pool.known[number]
            colour = background = partner = None
            if rng.random() < 0.04:
                self.partners[row] = rng.randrange(len(pool.known))
                partner = pool.known[self.partners[row]]["cap"]
            if pool.is_black[number] and rng.random() < 0.6:
                name = rng.choice(list(COLOURS))
                self.tint[row] = _nearly(name, rng)
                colour = name if not partner and rng.random() < 0.25 else None
            elif not pool.is_black[number] and rng.random() < 0.2:
                name = rng.choice(list(COLOURS))
                self.solid[row] = _nearly(name, rng)
                background = name if not partner and rng.random() < 0.3 else None
            self.is_worded[row] = bool(colour or background)
            if rng.random() < 0.3 and not _ONE_WAY.search(known["cap"]):
                self.flip[row] = -1
            self.texts.append(said(known, rng, words, (colour, background, partner)))


def _nearly(colour: str, rng: random.Random) -> Tensor:
    return torch.tensor([min(1, max(0, part + rng.uniform(-0.08, 0.08))) for part in COLOURS[colour]])


class Batches(torch.utils.data.Dataset):
    """Batch number `step`: pixels, tokens, and the pairs whose texts cannot be told apart.

    Parameters
    ----------
    pool : Pool
    tokenizer : Tokenizer
    seed, size : int
    icon_share : float
    words : (float, float)
        See `said`.
    """

    def __init__(
        self, pool: Pool, tokenizer: Tokenizer, seed: int, size: int, icon_share: float, words: tuple[float, float]
    ) -> None:
        self._pool, self._tokenizer = pool, tokenizer
        self._seed, self._size, self._icon_share, self._words = seed, size, icon_share, words

    def __getitem__(self, step: int) -> tuple[int, Tensor, Tensor, Tensor]:
        rng = random.Random(self._seed * 1_000_003 + step)
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        chosen = self._pool.draw(np.random.default_rng([self._seed, step]), self._size, self._icon_share)
        plan = _Plan(self._pool, chosen, rng, self._words)
        ids = [self._tokenizer(text, rng, _DROPOUT) for text in plan.texts]
        tokens = padded(ids, CONTEXT if step % _WHOLE == 0 else _SHORT)
        captions = [self._pool.known[number]["cap"] for number in chosen]
        return step, normalised(_drawn(self._pool, chosen, plan, generator)), tokens, _same(plan.texts, captions)

    def ordered(self, first: int, last: int) -> Iterator[Any]:
        """Make batches in a process of their own, ahead of the model: two processes of one thread each."""
        loader = torch.utils.data.DataLoader(
            self, batch_size=None, sampler=range(first, last), num_workers=1, prefetch_factor=4
        )
        return iter(loader)


def _same(texts: list[str], captions: list[str]) -> Tensor:
    """Tell which texts also fit the pictures of others."""
    same = torch.tensor(
        [[text in (other, caption) for other, caption in zip(texts, captions, strict=True)] for text in texts]
    )
    return same.fill_diagonal_(False)


def _drawn(pool: Pool, chosen: list[int], plan: _Plan, generator: torch.Generator) -> Tensor:
    """Draw a batch: (n, 3, 64, 64) in 0..1."""
    n = len(chosen)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    def chance(probability: float) -> Tensor:
        return (rand(n) < probability)[:, None, None, None]

    layers = _moved(_layers(pool, chosen, plan), plan.flip, rand)
    worded = plan.is_worded[:, None, None, None]
    ground = _ground(pool, chosen, plan, rand)
    image = layers[:, :3] + ground * (1 - layers[:, 3:])
    free = ~worded
    contrast, shift = 0.7 + 0.6 * rand(n, 1, 1, 1), (rand(n, 3, 1, 1) - 0.5) * 0.25
    image = ((image - 0.5) * contrast + 0.5 + shift * free).clamp(0, 1)
    contours = _contours(image)
    image = torch.where(chance(0.10) & free, contours.expand_as(image), image)  # contours alone
    image = torch.where(chance(0.10), image * contours, image)  # dark contours around flat colours
    return torch.where(chance(0.10) & free, image.mean(1, keepdim=True).expand_as(image), image)


def _layers(pool: Pool, chosen: list[int], plan: _Plan) -> Tensor:
    """Colours times alpha, and alpha: tinted, and with their partners beside them."""

    def tiles(numbers: list[int]) -> Tensor:
        return pool.tiles[numbers].permute(0, 3, 1, 2).float() / 255

    layers = tiles(chosen)
    rgb, alpha = layers[:, :3], layers[:, 3:]
    tinted = plan.tint[:, 0] >= 0
    rgb[tinted] = plan.tint[tinted][:, :, None, None]
    layers = torch.cat([rgb * alpha, alpha], 1)
    if plan.partners:
        rows, others = list(plan.partners), tiles(list(plan.partners.values()))
        others[:, :3] *= others[:, 3:]
        both = torch.cat([F.avg_pool2d(layers[rows], 2), F.avg_pool2d(others, 2)], 3)
        layers[rows] = F.pad(both, (0, 0, SIZE // 4, SIZE // 4))
    return layers


def _moved(layers: Tensor, flip: Tensor, rand: Any) -> Tensor:
    """Turn by up to 15 degrees, scale, stretch, shift, mirror."""
    n = len(layers)
    angle, scale, stretch = (rand(n) - 0.5) * 0.52, 1 / (0.7 + rand(n) * 0.45), 1 + (rand(n) - 0.5) * 0.2
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = angle.cos() * scale * flip * stretch, -angle.sin() * scale * stretch
    theta[:, 1, 0], theta[:, 1, 1] = angle.sin() * scale * flip / stretch, angle.cos() * scale / stretch
    theta[:, :, 2] = (rand(n, 2) - 0.5) * 0.4
    grid = F.affine_grid(theta, (n, 4, SIZE, SIZE), align_corners=False)
    return F.grid_sample(layers, grid, align_corners=False)


def _ground(pool: Pool, chosen: list[int], plan: _Plan, rand: Any) -> Tensor:
    """Half white, some one colour, the rest soft noise; never one that hides a drawing of one colour."""
    n = len(chosen)
    noise = (rand(n, 3, 4, 4) * rand(n, 1, 1, 1) + rand(n, 3, 1, 1) * 0.8).clamp(0, 1)
    is_white = ((rand(n) < 0.5) | plan.is_worded)[:, None, None, None]
    ground = torch.where(is_white, torch.ones(1), F.interpolate(noise, size=(SIZE, SIZE), mode="bilinear"))
    filled = plan.solid[:, 0] >= 0
    ground[filled] = plan.solid[filled][:, :, None, None]
    ink = torch.where(plan.tint[:, 0] >= 0, plan.tint.mean(1), torch.zeros(1))
    hidden = pool.is_black[chosen] & ((ground.mean((1, 2, 3)) - ink).abs() < 0.3)
    ground[hidden] = 1 - (ink[hidden] > 0.6).float()[:, None, None, None]
    return ground


def _contours(image: Tensor) -> Tensor:
    """1 where flat, towards 0 on contours."""
    grey = image.mean(1, keepdim=True)
    corner = grey[:, :, 1:, 1:]
    steps = (corner - grey[:, :, :-1, 1:]).abs() + (corner - grey[:, :, 1:, :-1]).abs()
    return (1 - F.max_pool2d(F.pad(steps, (1, 0, 1, 0)), 2, 1, 1)[:, :, :SIZE, :SIZE] * 3).clamp(0, 1)


def normalised(image: Tensor) -> Tensor:
    return (image - MEAN) / STD


def plain(tiles: np.ndarray) -> Tensor:
    """Tiles on white, as the model sees pictures when it is used."""
    layers = torch.as_tensor(tiles).permute(0, 3, 1, 2).float() / 255
    return normalised(layers[:, :3] * layers[:, 3:] + 1 - layers[:, 3:])
