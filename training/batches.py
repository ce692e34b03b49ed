"""Batches: which drawings, what is done to them, and what is said of them. Each is a function of (seed, step) alone."""

import json
import random
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
_NOUNS = 64  # of the dictionary in a batch

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
    *("{}", "{}", "{}", "a {}", "the {}", "{} emoji", "{} icon", "{} clip art"),
    *("a drawing of a {}", "picture of {}", "an image of {}", "a photo of a {}"),
)
# Several drawings in one: how many, where the half-size tiles lie (top, left), and what is said of them, in order.
_SCENES = (
    (2, ((16, 0), (16, 32)), ("{} and {}", "a {} and a {}", "{} next to {}", "a {} beside a {}")),
    (2, ((16, 0), (16, 32)), ("{} to the left of {}", "a {} on the left and a {} on the right")),
    (2, ((16, 32), (16, 0)), ("{} to the right of {}", "a {} on the right and a {} on the left")),
    (2, ((0, 16), (32, 16)), ("{} above {}", "a {} over a {}", "{} on top of {}")),
    (2, ((32, 16), (0, 16)), ("{} below {}", "a {} under a {}")),
)
_COUNTS = (
    ("two", ((16, 0), (16, 32))),
    ("three", ((0, 16), (32, 0), (32, 32))),
    ("four", ((0, 0), (0, 32), (32, 0), (32, 32))),
)
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
                self.known.append(
                    {
                        "cap": entry["cap"],
                        "tags": entry["tags"],
                        "words": words,
                        "narrower": narrower,
                        "definition": [entry["definition"]] if entry["definition"] else [],
                    }
                )
            tiles.append(drawn[keep])
        for entry in self.known:  # an owl is no other bird's name, where there are owls
            entry["narrower"] = [word for word in entry["narrower"] if word not in self.by_caption]
        dictionary = json.loads((data / "dictionary.json").read_text("utf-8"))
        self.dictionary = [(noun, others) for noun, others in dictionary if noun not in held]
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


class Shares(NamedTuple):
    """How often a text is something else than a caption or its keywords, and a picture not just a drawing.

    A magpie for a bird is not quite true, but else the word would mean nothing.
    """

    words: float = 0.0  # a synonym or a wider word
    narrower: float = 0.0
    definition: float = 0.0
    scenes: float = 0.04
    bent: float = 0.0
    tinged: float = 0.0


def said(known: Known, rng: random.Random, shares: Shares, colour: str | None, background: str | None) -> str:
    """Say something of a drawing; `colour` and `background` name colours that are really there."""
    caption = known["cap"]
    if colour:
        return rng.choice(_TINTED).format(colour, caption)
    if background:
        return rng.choice(_GROUNDS).format(caption, background)
    for kind in ("words", "narrower", "definition"):
        if known[kind] and rng.random() < getattr(shares, kind):
            return rng.choice(TEMPLATES if kind != "definition" else TEMPLATES[:1]).format(rng.choice(known[kind]))
    if known["tags"] and rng.random() < 0.35:
        most = rng.randint(1, 4) if rng.random() < 0.97 else 40
        tags = rng.sample(known["tags"], min(len(known["tags"]), most))
        return ", ".join(([caption] if rng.random() < 0.6 else []) + tags)
    return rng.choice(TEMPLATES).format(caption)


def several(noun: str) -> str:
    """Make a plural, as most English nouns do."""
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return f"{noun}es"
    return re.sub(r"(?<=[^aeiou ])y$", "ie", noun) + "s"


class _Plan:
    """What is drawn where in a batch, and the words for it."""

    def __init__(self, pool: Pool, chosen: list[int], rng: random.Random, shares: Shares) -> None:
        n = len(chosen)
        self.tint = torch.full((n, 3), -1.0)
        self.solid = torch.full((n, 3), -1.0)
        self.flip = torch.ones(n)
        self.is_worded = torch.zeros(n, dtype=torch.bool)
        self.scenes: dict[int, list[tuple[int | None, tuple[int, int]]]] = {}  # rows: drawings, or its own, and places
        self.texts: list[str] = []
        for row, number in enumerate(chosen):
            known = pool.known[number]
            if rng.random() < shares.scenes:
                self.texts.append(self._compose(pool, row, known, rng))
                continue
            colour = background = None
            has_colour = not COLOURS.keys().isdisjoint(known["cap"].split())
            if pool.is_black[number] and not has_colour and rng.random() < 0.6:
                name = rng.choice(list(COLOURS))
                self.tint[row] = _nearly(name, rng)
                colour = name if rng.random() < 0.25 else None
            elif not pool.is_black[number] and rng.random() < 0.2:
                name = rng.choice(list(COLOURS))
                self.solid[row] = _nearly(name, rng)
                background = name if rng.random() < 0.3 else None
            self.is_worded[row] = bool(colour or background)
            if rng.random() < 0.3 and not _ONE_WAY.search(known["cap"]):
                self.flip[row] = -1
            self.texts.append(said(known, rng, shares, colour, background))

    def _compose(self, pool: Pool, row: int, known: Known, rng: random.Random) -> str:
        """Make a row a scene, which is not mirrored: right is right."""
        if rng.random() < 0.3:
            number, places = rng.choice(_COUNTS)
            self.scenes[row] = [(None, place) for place in places]
            return f"{number} {several(known['cap'])}"
        count, places, templates = rng.choice(_SCENES)
        others = [rng.randrange(len(pool.known)) for _ in range(count - 1)]
        self.scenes[row] = list(zip([None, *others], places, strict=True))
        return rng.choice(templates).format(known["cap"], *(pool.known[other]["cap"] for other in others))


def _nearly(colour: str, rng: random.Random) -> Tensor:
    return torch.tensor([min(1, max(0, part + rng.uniform(-0.08, 0.08))) for part in COLOURS[colour]])


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
        plan = _Plan(self._pool, chosen, rng, self._shares)
        nouns = rng.sample(self._pool.dictionary, _NOUNS)
        meanings = [rng.choice(others) for _, others in nouns]
        ids = [self._tokenizer(text, rng, _DROPOUT) for text in (*plan.texts, *(noun for noun, _ in nouns), *meanings)]
        captions = [[self._pool.known[number]["cap"]] for number in chosen]
        return Batch(
            step,
            normalised(_drawn(self._pool, chosen, plan, self._shares, generator)),
            padded(ids, CONTEXT if step % _WHOLE == 0 else _SHORT),
            _same(plan.texts, captions),
            _same(meanings, [[noun, *others] for noun, others in nouns]),
        )

    def ordered(self, first: int, last: int) -> Iterator[Batch]:
        """Make batches in a process of their own, ahead of the model: two processes of one thread each."""
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


def _drawn(pool: Pool, chosen: list[int], plan: _Plan, shares: Shares, generator: torch.Generator) -> Tensor:
    """Draw a batch: (n, 3, 64, 64) in 0..1."""
    n = len(chosen)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    def chance(probability: float) -> Tensor:
        return (rand(n) < probability)[:, None, None, None]

    layers = _moved(_layers(pool, chosen, plan), plan.flip, shares.bent, rand)
    worded = plan.is_worded[:, None, None, None]
    if shares.tinged:
        gains = torch.where(chance(shares.tinged) & ~worded, 0.5 + rand(n, 3, 1, 1), torch.ones(1))
        layers[:, :3] = torch.minimum(layers[:, :3] * gains, layers[:, 3:])
    ground = _ground(pool, chosen, plan, rand)
    image = layers[:, :3] + ground * (1 - layers[:, 3:])
    free = ~worded
    contrast, shift = 0.7 + 0.6 * rand(n, 1, 1, 1), (rand(n, 3, 1, 1) - 0.5) * 0.25
    image = ((image - 0.5) * contrast + 0.5 + shift * free).clamp(0, 1)
    contours = _contours(image)
    image = torch.where(chance(0.10) & free, contours.expand_as(image), image)  # contours alone
    image = torch.where(chance(0.10), image * contours, image)  # dark contours around flat colours
    image = torch.where(chance(0.10) & free, image.mean(1, keepdim=True).expand_as(image), image)
    return _photographed(image, generator)


def _photographed(image: Tensor, generator: torch.Generator) -> Tensor:
    """Give some a little of what photos have: uneven light, noise, and little sharpness."""

    def some(probability: float) -> Tensor:
        return (torch.rand(len(image), generator=generator) < probability).nonzero()[:, 0]

    lit, noisy, blurred = some(0.25), some(0.15), some(0.1)
    light = 0.5 + 0.8 * torch.rand(len(lit), 1, 3, 3, generator=generator)
    image[lit] *= F.interpolate(light, size=(SIZE, SIZE), mode="bilinear")
    image[noisy] += (torch.rand(len(noisy), *image.shape[1:], generator=generator) - 0.5) * 0.15
    image[blurred] = F.interpolate(F.avg_pool2d(image[blurred], 2), size=(SIZE, SIZE), mode="bilinear")
    return image.clamp_(0, 1)


def _layers(pool: Pool, chosen: list[int], plan: _Plan) -> Tensor:
    """Colours times alpha, and alpha: tinted, and with others beside them."""

    def tiles(numbers: list[int]) -> Tensor:
        return pool.tiles[numbers].permute(0, 3, 1, 2).float() / 255

    def small(number: int) -> Tensor:
        tile = tiles([number])
        return F.avg_pool2d(torch.cat([tile[:, :3] * tile[:, 3:], tile[:, 3:]], 1), 2)[0]

    layers = tiles(chosen)
    rgb, alpha = layers[:, :3], layers[:, 3:]
    tinted = plan.tint[:, 0] >= 0
    rgb[tinted] = plan.tint[tinted][:, :, None, None]
    layers = torch.cat([rgb * alpha, alpha], 1)
    if plan.scenes:
        halves = F.avg_pool2d(layers[list(plan.scenes)], 2)
        for half, (row, placed) in zip(halves, plan.scenes.items(), strict=True):
            layers[row] = 0
            for other, (top, left) in placed:
                layers[row, :, top : top + SIZE // 2, left : left + SIZE // 2] = half if other is None else small(other)
    return layers


def _moved(layers: Tensor, flip: Tensor, bent: float, rand: Any) -> Tensor:
    """Turn by up to 15 degrees, scale, stretch, shift, mirror, and bend that share: other hands draw other lines."""
    n = len(layers)
    angle, scale, stretch = (rand(n) - 0.5) * 0.52, 1 / (0.7 + rand(n) * 0.45), 1 + (rand(n) - 0.5) * 0.2
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = angle.cos() * scale * flip * stretch, -angle.sin() * scale * stretch
    theta[:, 1, 0], theta[:, 1, 1] = angle.sin() * scale * flip / stretch, angle.cos() * scale / stretch
    theta[:, :, 2] = (rand(n, 2) - 0.5) * 0.4
    grid = F.affine_grid(theta, (n, 4, SIZE, SIZE), align_corners=False)
    if bent:
        strength = 0.3 * rand(n, 1, 1, 1) * (rand(n, 1, 1, 1) < bent)
        bends = F.interpolate((rand(n, 2, 5, 5) - 0.5) * strength, size=(SIZE, SIZE), mode="bicubic")
        grid = grid + bends.permute(0, 2, 3, 1)
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
