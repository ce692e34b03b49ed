"""TILES → PIXELS, augmented at random: rotated, warped, recolored, on a background, or several in one image."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from captions import Place, Shares
from drawing import SIZE
from pool import Pool

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]

Random = Callable[..., Tensor]  # uniform numbers of a shape


@dataclass
class Looks:
    """What the pictures of a batch of n are given.

    Attributes
    ----------
    tint, solid : Tensor of shape (n, 3)
        Colours of black drawings, and of grounds; -1 where there is none.
    flip : Tensor of shape (n,)
        -1 where mirrored.
    is_worded : Tensor of shape (n,), dtype=bool
        The text says a colour: colours stay.
    scenes : dict of int to (int, int, places)
        Rows that show several: two drawings of the pool, and which of them lies where.
    """

    tint: Tensor
    solid: Tensor
    flip: Tensor
    is_worded: Tensor
    scenes: dict[int, tuple[int, int, tuple[tuple[int, Place], ...]]] = field(default_factory=dict)

    @classmethod
    def plain(cls, n: int) -> "Looks":
        return cls(torch.full((n, 3), -1.0), torch.full((n, 3), -1.0), torch.ones(n), torch.zeros(n, dtype=torch.bool))


def drawn(pool: Pool, chosen: list[int], looks: Looks, shares: Shares, generator: torch.Generator) -> Tensor:
    """Draw a batch: (n, 3, 64, 64) in 0..1."""
    n = len(chosen)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    def chance(probability: float) -> Tensor:
        return (rand(n) < probability)[:, None, None, None]

    layers = _moved(_layers(pool, chosen, looks), looks.flip, shares.bent, rand)
    worded = looks.is_worded[:, None, None, None]
    if shares.tinged:
        gains = torch.where(chance(shares.tinged) & ~worded, 0.5 + rand(n, 3, 1, 1), torch.ones(1))
        layers[:, :3] = torch.minimum(layers[:, :3] * gains, layers[:, 3:])
    ground = _ground(pool, chosen, looks, rand)
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


def _layers(pool: Pool, chosen: list[int], looks: Looks) -> Tensor:
    """Colours times alpha, and alpha: tinted, or several."""

    def tiles(numbers: list[int]) -> Tensor:
        return pool.tiles[numbers].permute(0, 3, 1, 2).float() / 255

    layers = tiles(chosen)
    rgb, alpha = layers[:, :3], layers[:, 3:]
    tinted = looks.tint[:, 0] >= 0
    rgb[tinted] = looks.tint[tinted][:, :, None, None]
    layers = torch.cat([rgb * alpha, alpha], 1)
    if looks.scenes:
        both = tiles([number for numbers in looks.scenes.values() for number in numbers[:2]])
        both[:, :3] *= both[:, 3:]
        halves = F.avg_pool2d(both, 2).unflatten(0, (-1, 2))
        for half, (row, (_, _, places)) in zip(halves, looks.scenes.items(), strict=True):
            layers[row] = 0
            for which, (top, left) in places:
                layers[row, :, top : top + SIZE // 2, left : left + SIZE // 2] = half[which]
    return layers


def _moved(layers: Tensor, flip: Tensor, bent: float, rand: Random) -> Tensor:
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


def _ground(pool: Pool, chosen: list[int], looks: Looks, rand: Random) -> Tensor:
    """Half white, some one colour, the rest soft noise; never one that hides a drawing of one colour."""
    n = len(chosen)
    noise = (rand(n, 3, 4, 4) * rand(n, 1, 1, 1) + rand(n, 3, 1, 1) * 0.8).clamp(0, 1)
    is_white = ((rand(n) < 0.5) | looks.is_worded)[:, None, None, None]
    ground = torch.where(is_white, torch.ones(1), F.interpolate(noise, size=(SIZE, SIZE), mode="bilinear"))
    filled = looks.solid[:, 0] >= 0
    ground[filled] = looks.solid[filled][:, :, None, None]
    ink = torch.where(looks.tint[:, 0] >= 0, looks.tint.mean(1), torch.zeros(1))
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
