"""Logistic regression at its optimum, where the derivative of the loss vanishes; scikit-learn where it is installed."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from numpyclip.tasks.learning.logistic import LinearWeights, LogisticRegression

Data = tuple[NDArray[np.float32], NDArray[np.intp]]


def examples(n: int, d: int, k: int, noise: float = 1.0) -> Data:
    """Classes around points of their own, in a narrow cone as embeddings are."""
    rng = np.random.default_rng(n + d + k)
    labels = np.arange(n) % k
    centres = 3 + rng.standard_normal((k, d))
    return (centres[labels] + noise * rng.standard_normal((n, d))).astype(np.float32), labels


def derivative(data: Data, weights: LinearWeights, c: float) -> NDArray[np.float64]:
    """Of scikit-learn's loss by weights and intercepts, written down plainly: (k, d + 1)."""
    x, labels = data[0].astype(float), data[1]
    scores = x @ weights.coef.T + weights.intercept
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    errors = (probabilities - np.eye(len(weights.intercept))[labels]) / len(x)
    penalty = (2 if len(weights.intercept) == 2 else 1) / (c * len(x))
    return np.column_stack([errors.T @ x + penalty * weights.coef, errors.sum(axis=0)])


@pytest.mark.parametrize(("n", "d", "k"), [(60, 8, 3), (40, 64, 4), (30, 5, 2), (12, 40, 12), (200, 16, 5)])
@pytest.mark.parametrize("c", [0.01, 0.316, 100.0])
def test_the_derivative_vanishes_at_the_weights_that_are_found(n: int, d: int, k: int, c: float) -> None:
    data = examples(n, d, k)
    weights = LogisticRegression(*data, k).fit(c, tolerance=1e-7)
    assert np.abs(derivative(data, weights, c)).max() < 1e-5
    assert np.abs(weights.coef.sum(axis=0)).max() < 1e-4 * np.abs(weights.coef).max()


def test_a_start_from_other_weights_comes_to_the_same_ones() -> None:
    data = examples(60, 8, 3)
    fit = LogisticRegression(*data, 3).fit
    expected = fit(1.0, tolerance=1e-9)
    found = fit(1.0, fit(0.01), tolerance=1e-9)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-6)
    np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-5)


def test_too_few_iterations_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="did not converge in 1 iterations"):
        LogisticRegression(*examples(60, 8, 3), 3).fit(100.0, max_iterations=1)


@pytest.mark.parametrize("k", [2, 5])
def test_weights_are_those_of_scikit_learn(k: int) -> None:
    sklearn = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    data = examples(150, 20, k)
    weights = LogisticRegression(*data, k).fit(0.316, tolerance=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sklearn.LogisticRegression(C=0.316, max_iter=10_000, tol=1e-12).fit(data[0].astype(float), data[1])
    ours = weights.coef[1:] - weights.coef[:1] if k == 2 else weights.coef
    np.testing.assert_allclose(ours, theirs.coef_, atol=1e-5)
