"""Multinomial logistic regression with an L2 penalty, as scikit-learn defines it: the linear probe of the CLIP paper.

Minimized over weights W (k, d) and intercepts b (k) is the loss of n examples (x, y),

    mean of  log Σ exp(W x + b) - (W x + b)[y]    plus    |W|² / (2 C n),

by L-BFGS (Liu and Nocedal, 1989). Three things make it fast:

- Preconditioning: embeddings of images are in a narrow cone and vary much in few directions. So they are centered,
  which only changes b, rotated to their principal axes, and scaled so that the Hessian at W = 0 is the identity. All of
  this is undone at the end.
- With fewer examples than dimensions, W is in the span of the examples, and is searched only there.
- Scores are linear in the weights, so a line search needs no matrix products.

Letters: n examples, d dimensions, k classes, r = min(n, d) + 1 axes, the last for the intercept.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Labels = NDArray[np.integer]

_HISTORY = 10  # steps that L-BFGS remembers
_DESCENT, _CURVATURE = 1e-4, 0.5  # of the strong Wolfe conditions
_LINE_SEARCHES = 50  # points on one line; Newton's method needs few
_ROUNDING = 1e-14  # of a loss, relatively


@dataclass(frozen=True)
class LinearWeights:
    """Weights (k, d) and intercepts (k) of the classes; they sum to 0 over the classes."""

    coef: Float64
    intercept: Float64


@dataclass
class _Point:
    """Weights v (k, r), their scores (k, n), the loss, and its gradient."""

    v: Float64
    scores: Float64
    loss: float
    gradient: Float64


class LogisticRegression:
    """Examples, preconditioned once, and fitted with any C.

    Parameters
    ----------
    features : ndarray of shape (n, d)
        Finite; not normalized.
    labels : ndarray of shape (n,), dtype=integer
        From 0 to n_classes - 1.
    n_classes : int
        At least 2.
    """

    def __init__(self, features: NDArray[np.floating], labels: Labels, n_classes: int) -> None:
        self._labels, self._n_classes = labels, n_classes
        x = features.T.astype(np.float64)  # (d, n)
        self._mean = x.mean(axis=1)
        x -= self._mean[:, np.newaxis]
        spanned = None
        if x.shape[0] > x.shape[1]:
            spanned = np.linalg.qr(x)[0]  # (d, r - 1)
            x = spanned.T @ x
        variances, principal = np.linalg.eigh(x @ x.T / x.shape[1])
        self._axes = principal if spanned is None else spanned @ principal  # (d, r - 1)
        self._variances = np.append(np.maximum(variances, 0), 1)  # (r)
        self._x = np.concatenate([principal.T @ x, np.ones_like(x[:1])])  # (r, n)

    def fit(
        self, c: float, start: LinearWeights | None = None, *, tolerance: float = 1e-6, max_iterations: int = 1000
    ) -> LinearWeights:
        """Fit the weights.

        Parameters
        ----------
        c : float
            Inverse of the penalty: scikit-learn's C, 0.316 in openai/CLIP's README.
        start : LinearWeights, optional
            Where to start, such as the weights for another C.
        tolerance : float, default=1e-6
            Maximum length of the gradient at the end.
        max_iterations : int, default=1000
            If the tolerance is not reached by then, or rounding stops the search before, there is a warning.
        """
        # scikit-learn has one vector w for two classes; w / 2 and -w / 2 have half of its penalty
        penalty = (2 if self._n_classes == 2 else 1) / (c * len(self._labels))
        penalties = np.append(np.full(len(self._variances) - 1, penalty), 0)  # none for the intercept
        scale = 1 / np.sqrt(self._variances / self._n_classes + penalties)  # (r)
        search = _Search(scale[:, np.newaxis] * self._x, self._labels, penalties * scale**2)
        v = np.zeros((self._n_classes, len(scale))) if start is None else self._rotated(start) / scale
        for iterations, point in enumerate(search.descend(search.point(v))):
            if np.linalg.norm(point.gradient / scale) <= tolerance or iterations == max_iterations:
                break
        if np.linalg.norm(point.gradient / scale) > tolerance:
            warnings.warn(f"L-BFGS for C = {c:g} did not converge in {iterations} iterations.", stacklevel=2)
        return self._back(point.v * scale)

    def _rotated(self, weights: LinearWeights) -> Float64:
        intercept = weights.intercept + weights.coef @ self._mean
        return np.column_stack([weights.coef @ self._axes, intercept])

    def _back(self, v: Float64) -> LinearWeights:
        coef = v[:, :-1] @ self._axes.T
        return LinearWeights(coef, v[:, -1] - coef @ self._mean)


class _Search:
    """L-BFGS over v (k, r), for a loss of scores v x, and a penalty of Σ penalties v² / 2."""

    def __init__(self, x: Float64, labels: Labels, penalties: Float64) -> None:
        self._x, self._labels, self._penalties = x, labels, penalties
        self._n = len(labels)
        self._each = np.arange(self._n)

    def point(self, v: Float64) -> _Point:
        return self._point(v, v @ self._x)

    def descend(self, point: _Point) -> Iterable[_Point]:
        """Yield the first point and then ever better ones, until rounding stops the search."""
        steps: deque[tuple[Float64, Float64]] = deque(maxlen=_HISTORY)
        yield point
        while True:
            direction = -_times_inverse_hessian(point.gradient, steps)
            along = direction @ self._x  # (k, n)
            length = self._line_search(point, direction, along)
            if length == 0:
                return
            new = self._point(point.v + length * direction, point.scores + length * along)
            steps.append((new.v - point.v, new.gradient - point.gradient))
            point = new
            yield point

    def _point(self, v: Float64, scores: Float64) -> _Point:
        loss, probabilities = self._loss(scores)
        loss += float((self._penalties * v**2).sum()) / 2
        probabilities[self._labels, self._each] -= 1
        gradient = probabilities @ self._x.T / self._n + self._penalties * v
        return _Point(v, scores, loss, gradient)

    def _loss(self, scores: Float64) -> tuple[float, Float64]:
        """Mean loss of scores, and the probabilities (k, n) that they stand for."""
        probabilities = scores - scores.max(axis=0)
        right = probabilities[self._labels, self._each].sum()
        np.exp(probabilities, out=probabilities)
        sums = probabilities.sum(axis=0)
        probabilities /= sums
        return float(np.log(sums).sum() - right) / self._n, probabilities

    def _line_search(self, start: _Point, direction: Float64, along: Float64) -> float:
        """Find a step length that satisfies the strong Wolfe conditions, or 0 if rounding leaves none.

        The loss is convex, so its slope increases along the line; its zero is found by bracketed Newton iterations.
        """
        slope_at_start = float((start.gradient * direction).sum())
        right = along[self._labels, self._each].sum() / self._n
        bend = float((self._penalties * direction**2).sum())
        linear = float((self._penalties * start.v * direction).sum())
        constant = float((self._penalties * start.v**2).sum()) / 2
        low, high, t = 0.0, np.inf, 1.0
        for _ in range(_LINE_SEARCHES):
            loss, probabilities = self._loss(start.scores + t * along)
            probabilities *= along
            means = probabilities.sum(axis=0)
            slope = float(means.sum()) / self._n - right + linear + t * bend
            loss += constant + t * linear + t * t * bend / 2
            descent = start.loss + _DESCENT * t * slope_at_start + _ROUNDING * abs(start.loss)
            if abs(slope) <= -_CURVATURE * slope_at_start and loss <= descent:
                return t
            low, high = (t, high) if slope < 0 and loss <= descent else (low, t)
            curvature = float(np.einsum("kn,kn->", probabilities, along) - means @ means) / self._n + bend
            newton = t - slope / curvature if curvature > 0 else np.inf
            t = newton if low < newton < min(high, 10 * t) else (low + high) / 2 if np.isfinite(high) else 10 * t
        return 0.0


def _times_inverse_hessian(gradient: Float64, steps: Iterable[tuple[Float64, Float64]]) -> Float64:
    """Multiply by L-BFGS's approximation of the inverse Hessian (Nocedal and Wright, 2006, algorithm 7.4)."""
    known = [(s, y, 1 / product) for s, y in steps if (product := float((s * y).sum())) > 0]
    result: Float64 = gradient.copy()
    shares = []
    for s, y, rho in reversed(known):
        shares.append(rho * float((s * result).sum()))
        result -= shares[-1] * y
    if known:
        _, y, rho = known[-1]
        result /= rho * float((y * y).sum())
    for s, y, rho in known:
        result += (shares.pop() - rho * float((y * result).sum())) * s
    return result
