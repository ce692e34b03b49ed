"""Three methods of learning from examples, and the grids of their settings.

- A linear probe (Radford et al., 2021, section 3.2): logistic regression on the embeddings.
- Tip-Adapter (Zhang et al., 2022), which needs no training: the labels of the examples near an image, added to the
  zero-shot scores of the names of the classes.
- The nearest class mean (Mensink et al., 2013; the prototypes of Snell et al., 2017), by cosine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.tasks.learning.examples import Examples
from numpyclip.tasks.learning.logistic import LinearWeights, LogisticRegression

Settings: TypeAlias = "Mapping[str, float]"
Weights: TypeAlias = "Mapping[str, NDArray[Any]]"

_MAX_ITERATIONS = 10_000  # a C of 1e6 takes some 1,000
_LEAST, _MOST = 1e-30, 1e30  # of any setting: logits are float32
_ROWS = 1024  # of cosines with all examples at once


@dataclass(frozen=True)
class Axis:
    """The grid of one setting: base ** low, base ** (low + 1), ..., base ** high; first every `step`-th is tried."""

    base: float
    low: int
    high: int
    step: int  # a power of 2
    usual: float  # without held-out examples

    def value(self, number: int) -> float:
        """Return the number at a place of the grid."""
        return float(self.base**number)

    def around(self, number: int, step: int) -> set[int]:
        """Return a place and those a step to both sides of it, within the grid."""
        return {min(max(place, self.low), self.high) for place in (number - step, number, number + step)}


def checked_setting(value: object) -> float | None:
    """Return a valid setting, of Python's or NumPy's numbers, as a float; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    return float(value) if _LEAST <= value <= _MOST else None


class Method(Protocol):
    """A method, prepared on some examples for any settings."""

    axes: Mapping[str, Axis]
    shapes: Mapping[str, str]  # of the weights, in letters: n examples, k classes, e dimensions

    def __init__(self, examples: Examples) -> None: ...

    def weights(self, settings: Settings) -> Weights:
        """Learn with these settings."""

    @staticmethod
    def logits(weights: Weights, settings: Settings, embeddings: Array) -> NDArray[np.floating]:
        """Compute logits of embeddings that are normalized if those of the examples were: (n, e) -> (n, k)."""


class LinearProbe:
    """Logistic regression with the C of scikit-learn, over the range of the paper, eight steps a decade."""

    axes: Mapping[str, Axis] = {"c": Axis(10 ** (1 / 8), low=-48, high=48, step=16, usual=31.6)}  # 0.316 at length 10
    shapes: Mapping[str, str] = {"coef": "ke", "intercept": "k"}

    def __init__(self, examples: Examples) -> None:
        self._problem = LogisticRegression(examples.embeddings, examples.labels, len(examples.classes))
        self._last: LinearWeights | None = None

    def weights(self, settings: Settings) -> Weights:
        """Fit, starting at the last fit.

        The tolerance is a hundredth of scikit-learn's, which with a C of 1e5 is met almost anywhere, so that a trial
        would not predict what is learned with that C in the end.
        """
        self._last = self._problem.fit(settings["c"], self._last, tolerance=1e-6, max_iterations=_MAX_ITERATIONS)
        return {"coef": self._last.coef.astype(np.float32), "intercept": self._last.intercept.astype(np.float32)}

    @staticmethod
    def logits(weights: Weights, settings: Settings, embeddings: Array) -> NDArray[np.floating]:
        """Multiply and add."""
        logits: Array = embeddings @ weights["coef"].T + weights["intercept"]
        return logits


class TipAdapter:
    """A cache of examples, weighted by cosine, added to the zero-shot scores of the classes' texts."""

    axes: Mapping[str, Axis] = {
        "alpha": Axis(10**0.25, low=-8, high=12, step=4, usual=1.0),
        "beta": Axis(2**0.5, low=0, high=16, step=4, usual=5.5),  # these two as in the paper
    }
    shapes: Mapping[str, str] = {"keys": "ne", "labels": "n", "texts": "ke"}

    def __init__(self, examples: Examples) -> None:
        no_texts = np.zeros((len(examples.classes), examples.embeddings.shape[1]), np.float32)
        self._weights: Weights = {
            "keys": ops.normalize(examples.embeddings),
            "labels": examples.labels.astype(np.int64),
            "texts": no_texts if examples.texts is None else examples.texts,
        }

    def weights(self, settings: Settings) -> Weights:
        """Return the examples themselves."""
        return self._weights

    @staticmethod
    def logits(weights: Weights, settings: Settings, embeddings: Array) -> NDArray[np.floating]:
        """Add alpha times the sum of exp(-beta (1 - cosine)) over the examples of a class to the text's score."""
        values = np.eye(len(weights["texts"]), dtype=np.float32)[weights["labels"]]  # (examples, k)
        logits: Array = ops.normalize(embeddings) @ weights["texts"].T
        for start in range(0, len(embeddings), _ROWS):
            rows = slice(start, start + _ROWS)
            cosines = ops.normalize(embeddings[rows]) @ weights["keys"].T
            logits[rows] += np.float32(settings["alpha"]) * (
                np.exp(np.float32(settings["beta"]) * np.minimum(cosines - 1, 0)) @ values  # rounding exceeds 1
            )
        return logits


class ClassMeans:
    """The normalized mean of every class; logits are cosines times a scale, which affects only probabilities."""

    axes: Mapping[str, Axis] = {"scale": Axis(2**0.5, low=0, high=20, step=4, usual=32.0)}
    shapes: Mapping[str, str] = {"means": "ke"}

    def __init__(self, examples: Examples) -> None:
        unit = ops.normalize(examples.embeddings)
        means = [unit[examples.labels == number].mean(axis=0) for number in range(len(examples.classes))]
        self._means = ops.normalize(np.stack(means))

    def weights(self, settings: Settings) -> Weights:
        """Return the means."""
        return {"means": self._means}

    @staticmethod
    def logits(weights: Weights, settings: Settings, embeddings: Array) -> NDArray[np.floating]:
        """Multiply cosines by the scale."""
        logits: Array = np.float32(settings["scale"]) * (ops.normalize(embeddings) @ weights["means"].T)
        return logits


METHODS: Mapping[str, type[Method]] = {"linear": LinearProbe, "tip": TipAdapter, "mean": ClassMeans}
