from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from numpyclip.model.ops import Array
from numpyclip.tasks.learning.choose import choose
from numpyclip.tasks.learning.examples import Examples
from numpyclip.tasks.learning.methods import METHODS, Axis, ClassMeans, Settings, Weights
from tests.tasks.learning.conftest import Make


class Peaked:
    """A method that is best at 2 ** 13 and 2 ** -5, and remembers what was tried."""

    axes: Mapping[str, Axis] = {"x": Axis(2, -16, 16, 16, 1.0), "y": Axis(2, -8, 8, 4, 1.0)}
    shapes: Mapping[str, str] = {}
    tried: ClassVar[set[tuple[float, float]]] = set()

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def weights(self, settings: Settings) -> Weights:
        return {}

    @classmethod
    def logits(cls, weights: Weights, settings: Settings, embeddings: Array) -> NDArray[np.floating]:
        place = float(np.log2(settings["x"])), float(np.log2(settings["y"]))
        cls.tried.add(place)
        right = 1 / (1 + abs(place[0] - 13) + abs(place[1] + 5))
        return np.stack([np.full(len(embeddings), right), np.zeros(len(embeddings))], axis=1)  # class a is the greater


def test_the_best_place_is_found_by_halving_steps(make: Make) -> None:
    Peaked.tried.clear()
    assert choose(Peaked, make(50, 2), {}, seed=0) == {"x": 2.0**13, "y": 2.0**-5}
    assert len(Peaked.tried) < 70  # of 33 * 17


def test_a_setting_that_is_given_is_kept(make: Make) -> None:
    found = choose(Peaked, make(50, 2), {"x": 4.0}, seed=0)
    assert found == {"x": 4.0, "y": 2.0**-5}


def test_with_one_example_a_class_the_usual_settings_are_taken(make: Make) -> None:
    assert choose(METHODS["tip"], make(1, 1, 1), {}, seed=0) == {"alpha": 1.0, "beta": 5.5}


def test_every_class_is_learned_before_it_is_tested(make: Make) -> None:
    class Watching(ClassMeans):
        def __init__(self, examples: Examples) -> None:
            assert set(examples.labels) == {0, 1, 2}
            super().__init__(examples)

    choose(Watching, make(1, 2, 9), {}, seed=0)


def test_only_as_many_are_held_out_as_tell_settings_apart(make: Make) -> None:
    sizes = []

    class Watching(ClassMeans):
        def __init__(self, examples: Examples) -> None:
            sizes.append(len(examples))
            super().__init__(examples)

    choose(Watching, make(3000, 3000), {}, seed=0)
    assert sizes == [4800]  # one part of 1,200


@pytest.mark.parametrize("name", METHODS)
def test_settings_that_are_chosen_are_better_than_the_worst(name: str, make: Make) -> None:
    examples, new, method = make(8, 8, 8, noise=1.5), make(200, 200, 200, noise=1.5, seed=1), METHODS[name]
    losses = []
    for settings in (
        choose(method, examples, {}, seed=0),
        {setting: axis.value(axis.low) for setting, axis in method.axes.items()},
        {setting: axis.value(axis.high) for setting, axis in method.axes.items()},
    ):
        logits = method.logits(method(examples).weights(settings), settings, new.embeddings).astype(float)
        logits -= np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True)) + logits.max(
            1, keepdims=True
        )
        losses.append(-logits[np.arange(len(new)), new.labels].mean())
    assert losses[0] < min(losses[1:])
