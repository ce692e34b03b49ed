"""What scikit-learn 1.9 learns with the protocol of openai/CLIP's README, recorded by tools/make_golden_learning.py."""

import numpy as np
import pytest

from numpyclip.tasks.learning.examples import Examples
from numpyclip.tasks.learning.learn import Recipe, learn
from numpyclip.tasks.learning.logistic import LogisticRegression
from tests.conftest import TESTS


@pytest.mark.parametrize("name", ["many", "few", "two"])
def test_a_linear_probe_is_that_of_the_protocol(name: str) -> None:
    """Two classes are penalised otherwise in scikit-learn than more; features are of any length."""
    with np.load(TESTS / "golden" / "learning" / "logistic.npz") as golden:
        x, labels, new, coef, intercept, expected = (
            golden[f"{name} {what}"] for what in ("features", "labels", "new", "coef", "intercept", "probabilities")
        )
    weights = LogisticRegression(x, labels, labels.max() + 1).fit(0.316)
    ours, offset = weights.coef, weights.intercept
    if name == "two":  # one vector for both classes
        ours, offset = ours[1:] - ours[:1], offset[1:] - offset[:1]
    np.testing.assert_allclose(ours, coef, atol=1e-4 * np.abs(coef).max())
    np.testing.assert_allclose(offset, intercept, atol=1e-4 * np.abs(intercept).max())
    probe = learn(Examples.of(x, [f"class {label}" for label in labels]), Recipe(settings={"c": 0.316}))
    found = probe.probabilities(new)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))
