"""Grid search for settings, by cross-validated accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.runtime import threads
from numpyclip.tasks.learning.examples import Examples, Labels, stratified_folds
from numpyclip.tasks.learning.methods import Method, Settings

_T = TypeVar("_T")
_U = TypeVar("_U")

_FOLDS = 5
_ENOUGH = 1000  # held-out images, which give the accuracy to 1.6 percent

_Place = tuple[int, ...]  # in the grid: a number for each axis
_Grade = tuple[float, float]  # accuracy, and minus the mean loss, by which equal accuracies are ranked


def choose(method: type[Method], examples: Examples, fixed: Settings, seed: int) -> dict[str, float]:
    """Choose the settings that are not fixed, as the CLIP paper chooses C (section A.3).

    First every `step`-th place of each axis is tried, then those half as far on both sides of the best, and so on.
    """
    axes = {name: axis for name, axis in method.axes.items() if name not in fixed}
    usual = {**{name: axis.usual for name, axis in axes.items()}, **fixed}
    trials = _Trials(method, examples, seed)
    if not axes or not trials.n_tested:
        return usual
    grades: dict[_Place, _Grade] = {}

    def settings_at(place: _Place) -> dict[str, float]:
        return {**fixed, **{name: axis.value(number) for (name, axis), number in zip(axes.items(), place, strict=True)}}

    places = product(*(range(axis.low, axis.high + 1, axis.step) for axis in axes.values()))
    for halving in range(1, max(axis.step for axis in axes.values()).bit_length() + 1):
        for place in sorted(set(places) - set(grades)):
            grades[place] = trials.grade(settings_at(place))
        best = max(grades, key=lambda place: (*grades[place], place))
        around = zip(axes.values(), best, strict=True)
        places = product(*(axis.around(number, axis.step >> halving) for axis, number in around))
    return settings_at(best)


class _Trials:
    """A method prepared on training splits of the examples, and the held-out rest of each, until these are enough.

    The splits are computed in parallel, each on one thread: they are often too small for the threads of BLAS.
    """

    def __init__(self, method: type[Method], examples: Examples, seed: int) -> None:
        self._method = method
        self.n_tested = 0
        splits = []
        folds = stratified_folds(examples.labels, _FOLDS, seed)
        for fold in np.unique(folds[folds >= 0]):
            if self.n_tested < _ENOUGH:
                splits.append((examples[folds != fold], examples[folds == fold]))
                self.n_tested += len(splits[-1][1])
        self._parts = _each(lambda split: (method(split[0]), split[1]), splits)

    def grade(self, settings: Settings) -> _Grade:
        def tested(part: tuple[Method, Examples]) -> tuple[int, float]:
            learner, held_out = part
            logits = self._method.logits(learner.weights(settings), settings, held_out.embeddings)
            return int((logits.argmax(axis=1) == held_out.labels).sum()), _log_loss(logits, held_out.labels)

        right, losses = zip(*_each(tested, self._parts), strict=True)
        return sum(right) / self.n_tested, -sum(losses) / self.n_tested


def _each(function: Callable[[_T], _U], items: Sequence[_T]) -> list[_U]:
    """Apply a function to all items in parallel."""
    results: dict[int, _U] = {}

    def apply(number: int) -> None:
        results[number] = function(items[number])

    threads.run([partial(apply, number) for number in range(len(items))])
    return [results[number] for number in range(len(items))]


def _log_loss(logits: NDArray[np.floating], labels: Labels) -> float:
    """Sum the cross-entropy of logits (n, k) and labels (n)."""
    scores = logits.astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    right = scores[np.arange(len(labels)), labels]
    return float((np.log(np.exp(scores).sum(axis=1)) - right).sum())
