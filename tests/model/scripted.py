"""Logits that follow from a picture and its caption so far by a rule, for tests of how captions are written."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from numpyclip.model.captioning.prefixes import Prefixes
from numpyclip.model.ops import Array

Rule = Callable[[int, tuple[int, ...]], list[float]]


class Scripted(Prefixes):
    """Prefixes without a model. It counts the tokens that were appended, and sees that rows fit images."""

    def __init__(self, images: int, rule: Rule) -> None:
        self.rule = rule
        self.images = np.arange(images)
        self.ids = np.zeros((images, 0), int)
        self.columns = 0

    def logits(self, ids: NDArray[np.integer]) -> Array:
        self.columns += ids.size
        self.ids = np.concatenate([self.ids, ids], axis=1)
        images = np.repeat(self.images, len(self.ids) // len(self.images))
        rows = zip(images.tolist(), self.ids.tolist(), strict=True)
        return np.array([self.rule(picture, tuple(row)) for picture, row in rows], np.float32)

    def select(self, rows: NDArray[np.integer], images: NDArray[np.integer] | None = None) -> None:
        self.ids = self.ids[rows]
        if images is not None:
            self.images = self.images[images]

    def forget(self) -> None:
        self.ids = self.ids[:, :0]


def scattered(vocabulary: int, likely: dict[int, float] | None = None) -> Rule:
    """Make a rule of logits that look random, but for tokens that are likelier by so much."""

    def rule(picture: int, ids: tuple[int, ...]) -> list[float]:
        logits = np.random.default_rng([picture, *ids]).standard_normal(vocabulary)
        for token, more in (likely or {}).items():
            logits[token] += more
        return logits.tolist()  # type: ignore[no-any-return]

    return rule
