"""Calibration of probabilities by a few queries whose right images are known.

Log-odds of a match l become a l + b, by logistic regression: the right images of a query weigh as much as all others
together, and each query as much as the others. A prior keeps a near 1 and b near 0, so that few queries change little.
The best of n images counts as more than chance from log-odds of s log(n), where s is fitted to tell results with a
right image in them from results of the same queries among all other images, again with a prior.

Letters: q queries, n images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.tasks.background import Calibration

Float64 = NDArray[np.float64]

LEAST_QUERIES = 3
SHOWN = 20  # images in a result
_SLOPE, _SHIFT, _SEARCHED = 0.5, 2.0, 0.2  # standard deviations of the priors of a, b and s
_LARGEST = 1.5  # that s may be
_BINS = 10  # of probabilities
_FOLDS = 20


@dataclass(frozen=True, eq=False)
class QueryOdds:
    """Log-odds of one query, by the default calibration.

    Attributes
    ----------
    right, wrong : ndarray of shape (n,)
        Of its right images, and of other ones or a sample of these.
    best : float or None
        The largest of the `SHOWN` nearest images, if a right one is among these.
    best_wrong : float
        The largest of the `SHOWN` nearest images that are not right.
    """

    right: Float64
    wrong: Float64
    best: float | None
    best_wrong: float


@dataclass(frozen=True)
class Quality:
    """How well a calibration does.

    Attributes
    ----------
    error : float
        Expected calibration error: how far probabilities are from how often images are right, on average, where half
        of the images are right.
    hidden : float or None
        Share of results with a right image that are below the cutoff; None if there is no such result.
    passed : float
        Share of results without a right image that are above it.
    """

    error: float
    hidden: float | None
    passed: float

    @property
    def misjudged(self) -> float:
        """Both shares together: how often the cutoff is wrong, where half of the results have a right image."""
        return ((self.hidden or 0.0) + self.passed) / 2


def fit_calibration(queries: Sequence[QueryOdds], n_images: int) -> Calibration:
    """Fit a calibration to queries among so many images."""
    slope, shift = _fit_line(queries)
    return Calibration().rescaled(slope, shift, _fit_searched(queries, slope, shift, n_images))


def cross_validate_calibration(queries: Sequence[QueryOdds], n_images: int) -> Quality:
    """Measure calibrations on queries that they were not fitted to: each, or each of 20 groups, is left out in turn."""
    if len(queries) < 2:
        raise InputError(f"{len(queries)} queries; expected 2 at least.")
    folds = min(len(queries), _FOLDS)
    lines = []
    for fold in range(folds):
        others = [query for row, query in enumerate(queries) if row % folds != fold]
        slope, shift = _fit_line(others)
        lines.append((slope, shift, _fit_searched(others, slope, shift, n_images)))
    return _measure(queries, [lines[row % folds] for row in range(len(queries))], n_images)


def default_quality(queries: Sequence[QueryOdds], n_images: int) -> Quality:
    """Measure the default calibration."""
    return _measure(queries, [(1.0, 0.0, Calibration.searched)] * len(queries), n_images)


def _fit_line(queries: Sequence[QueryOdds]) -> tuple[float, float]:
    """Fit the slope and shift of log-odds, by Newton's method with shorter steps where the loss would rise."""
    parts = [
        (kind, truth) for query in queries for kind, truth in ((query.right, 1.0), (query.wrong, 0.0)) if kind.size
    ]
    odds = np.concatenate([kind for kind, _ in parts])
    truths = np.concatenate([np.full(kind.size, truth) for kind, truth in parts])
    weights = np.concatenate([np.full(kind.size, 1 / kind.size) for kind, _ in parts])
    features = np.stack([odds, np.ones_like(odds)])  # (2, n)
    usual, precision = np.array([1.0, 0.0]), np.array([_SLOPE, _SHIFT]) ** -2.0

    def loss(line: Float64) -> float:
        scores = line @ features
        penalty = precision @ (line - usual) ** 2 / 2
        return float(weights @ (np.logaddexp(0, scores) - truths * scores) + penalty)

    line, current = usual, loss(usual)
    for _ in range(50):
        said = _sigmoid(line @ features)
        gradient = features @ (weights * (said - truths)) + precision * (line - usual)
        hessian = (features * (weights * said * (1 - said))) @ features.T + np.diag(precision)
        step = np.linalg.solve(hessian, gradient)
        while loss(line - step) > current and np.abs(step).max() > 1e-9:
            step = step / 2
        line, last, current = line - step, current, loss(line - step)
        if last - current < 1e-9:
            break
    return max(float(line[0]), 0.0), float(line[1])


def _fit_searched(queries: Sequence[QueryOdds], slope: float, shift: float, n_images: int) -> float:
    """Fit the power of the number of images that the odds of the best one must reach, among a hundred and fifty."""
    powers = np.linspace(0, _LARGEST, 151)
    cutoffs = powers * math.log(max(n_images, 2))
    best, wrong = _bests(queries, slope, shift)
    losses = (powers - Calibration.searched) ** 2 / (2 * _SEARCHED**2)
    for found, sign in ((best, -1), (wrong, 1)):
        if found.size:
            losses += np.logaddexp(0, sign * (found[:, np.newaxis] - cutoffs)).mean(axis=0) * len(queries) / 2
    return float(powers[losses.argmin()])


def _measure(queries: Sequence[QueryOdds], lines: Sequence[tuple[float, float, float]], n_images: int) -> Quality:
    """Measure calibrations, one for each query."""
    sums = np.zeros((2, _BINS))  # of weights times what is said, and times what is true
    hidden, passed = [], []
    for query, (slope, shift, searched) in zip(queries, lines, strict=True):
        for odds, truth in ((query.right, 1.0), (query.wrong, 0.0)):
            said = _sigmoid(slope * odds + shift)
            places = np.minimum((said * _BINS).astype(int), _BINS - 1)
            for row, values in enumerate((said, np.full_like(said, truth))):
                sums[row] += np.bincount(places, values / max(odds.size, 1), _BINS)
        cutoff = searched * math.log(max(n_images, 1))
        if query.best is not None:
            hidden.append(slope * query.best + shift < cutoff)
        passed.append(slope * query.best_wrong + shift >= cutoff)
    error = float(np.abs(sums[0] - sums[1]).sum() / (2 * len(queries)))
    return Quality(error, float(np.mean(hidden)) if hidden else None, float(np.mean(passed)))


def _bests(queries: Sequence[QueryOdds], slope: float, shift: float) -> tuple[Float64, Float64]:
    best = [query.best for query in queries if query.best is not None]
    return slope * np.array(best) + shift, slope * np.array([query.best_wrong for query in queries]) + shift


def _sigmoid(scores: Float64) -> Float64:
    return np.asarray(np.exp(-np.logaddexp(0, -scores)), np.float64)
