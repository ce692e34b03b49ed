from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.tasks.learning.learn import Accuracy, Outcome, Recipe, cross_validate, learn
from numpyclip.tasks.learning.methods import METHODS
from tests.tasks.learning.conftest import Make


@pytest.mark.parametrize("method", METHODS)
def test_equal_seeds_learn_the_same(method: str, make: Make) -> None:
    examples = make(6, 7, 8, noise=1.0)
    first, again = (learn(examples, Recipe(method, seed=4)) for _ in range(2))
    assert first.settings == again.settings
    for name, array in first.weights.items():
        assert np.array_equal(array, again.weights[name])


@pytest.mark.parametrize("method", METHODS)
def test_one_example_a_class_is_enough_to_learn_but_not_to_measure(method: str, make: Make) -> None:
    examples = make(1, 1, 1, noise=0.2)
    probe = learn(examples, Recipe(method))
    assert np.array_equal(probe.probabilities(examples.embeddings).argmax(axis=1), [0, 1, 2])
    assert Accuracy.of(cross_validate(examples, Recipe(method)), examples.classes) is None


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_learned_is_not_measured_as_learned(method: str, make: Make) -> None:
    """Labels that mean nothing: a test on what was learned from would find them all."""
    examples = make(60, 60, noise=1.0)
    rng = np.random.default_rng(1)
    examples = replace(examples, labels=rng.permutation(examples.labels))
    found = Accuracy.of(cross_validate(examples, Recipe(method)), examples.classes)
    assert found is not None
    assert found.n_tested == 120
    assert 0.3 < found.accuracy < 0.7  # four standard deviations and a bit around a half


def test_every_example_is_tested_once_but_those_that_are_alone(make: Make) -> None:
    examples = make(1, 2, 9, 3)
    parts = list(cross_validate(examples, Recipe("mean"), folds=4))
    assert sorted(np.concatenate([part.labels for part in parts]).tolist()) == [1] * 2 + [2] * 9 + [3] * 3


def test_rare_classes_count_as_much_as_others_in_the_mean_recall() -> None:
    outcome = Outcome(predicted=np.array([0, 0, 0, 0, 0, 1]), labels=np.array([0, 0, 0, 0, 1, 1]))
    found = Accuracy.of([outcome], ["many", "few", "untested"])
    assert found == Accuracy(5 / 6, 0.75, {"many": 1.0, "few": 0.5}, 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "svm"}, "method is 'svm'; expected linear, tip, mean"),
        ({"settings": {"beta": 1.0}}, "linear has no setting 'beta'; expected c"),
        ({"settings": {"c": 0.0}}, "c is 0.0; expected a number above 0"),
        ({"settings": {"c": float("nan")}}, "c is nan"),
        ({"settings": {"c": "auto"}}, "c is 'auto'"),
        ({"settings": {"c": None}}, "c is None"),
        ({"settings": {"c": True}}, "c is True"),
        ({"settings": {"c": 1e300}}, "c is 1e.300; expected a number above 0 .1e-30 to 1e30"),
        ({"settings": {"c": 10**400}}, "c is 1000"),
        ({"settings": None}, "settings is None"),
        ({"method": ["linear"]}, "method is"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(**arguments)


@pytest.mark.parametrize("folds", [1, 0, -3, 2.5, True, "5"])
def test_folds_are_two_or_more(folds: Any, make: Make) -> None:
    with pytest.raises(InputError, match=r"folds is .* 2 or more"):
        cross_validate(make(3, 3), folds=folds)


@pytest.mark.parametrize("number", [1e-30, 1e30])
@pytest.mark.parametrize("method", ["tip", "mean"])
def test_probabilities_are_numbers_whatever_the_settings(method: str, number: float, make: Make) -> None:
    examples = make(3, 3)
    probe = learn(examples, Recipe(method, dict.fromkeys(METHODS[method].axes, number)))
    assert np.isfinite(probe.probabilities(examples.embeddings)).all()


def test_settings_that_are_given_are_recorded(make: Make) -> None:
    assert learn(make(3, 3), Recipe(settings={"c": 0.5})).settings == {"c": 0.5}
    assert learn(make(3, 3), Recipe("tip", {"alpha": 1.0, "beta": 2.0})).settings == {"alpha": 1.0, "beta": 2.0}
