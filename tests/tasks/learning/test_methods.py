import math
from dataclasses import replace

import numpy as np
import pytest

from numpyclip.tasks.learning import methods
from numpyclip.tasks.learning.examples import Examples
from numpyclip.tasks.learning.methods import METHODS, ClassMeans, LinearProbe, TipAdapter
from tests.tasks.learning.conftest import Make


def test_tip_adapter_is_that_of_the_paper() -> None:
    """Equation 6 of Zhang et al., 2022, worked by hand, with two examples of one class."""
    examples = Examples.of([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], ["a", "a", "b"])
    examples = replace(examples, texts=np.array([[100, 0], [0, 100]], np.float32))
    weights = TipAdapter(examples).weights({})
    logits = TipAdapter.logits(weights, {"alpha": 2.0, "beta": 5.5}, np.array([[0.8, 0.6]], np.float32))
    near_a = math.exp(-5.5 * (1 - 0.8)) + math.exp(-5.5 * (1 - 0.96))
    near_b = math.exp(-5.5 * (1 - 0.6))
    np.testing.assert_allclose(logits, [[80 + 2 * near_a, 60 + 2 * near_b]], rtol=1e-6)


def test_tip_adapter_without_texts_goes_by_its_examples_alone(make: Make) -> None:
    examples = make(4, 4)
    weights = TipAdapter(examples).weights({})
    logits = TipAdapter.logits(weights, {"alpha": 1.0, "beta": 64.0}, examples.embeddings)
    assert np.array_equal(logits.argmax(axis=1), examples.labels)


def test_tip_adapter_is_the_same_in_pieces(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = make(5, 6, 7)
    weights, settings = TipAdapter(examples).weights({}), {"alpha": 3.0, "beta": 8.0}
    whole = TipAdapter.logits(weights, settings, examples.embeddings)
    monkeypatch.setattr(methods, "_ROWS", 4)
    np.testing.assert_allclose(TipAdapter.logits(weights, settings, examples.embeddings), whole, rtol=1e-5)


def test_class_means_are_of_unit_length_and_so_are_what_they_are_means_of() -> None:
    examples = Examples.of([[2, 0], [0, 5], [1, 1]], ["a", "a", "b"])
    means = ClassMeans(examples).weights({})["means"]
    np.testing.assert_allclose(means, np.full((2, 2), math.sqrt(0.5)), rtol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_tells_clear_classes_apart_and_knows_its_shapes(name: str, make: Make) -> None:
    examples, method = make(5, 5, 5, noise=0.2), METHODS[name]
    settings = {setting: axis.usual for setting, axis in method.axes.items()}
    weights = method(examples).weights(settings)
    new = make(3, 3, 3, noise=0.2, seed=1)
    logits = method.logits(weights, settings, new.embeddings)
    assert logits.dtype == np.float32
    assert np.array_equal(logits.argmax(axis=1), new.labels)
    sizes = {"k": 3, "e": examples.embeddings.shape[1], "n": len(examples)}
    expected = {key: tuple(sizes[letter] for letter in letters) for key, letters in method.shapes.items()}
    assert expected == {key: array.shape for key, array in weights.items()}


@pytest.mark.parametrize("name", METHODS)
def test_the_range_of_every_setting_ends_at_whole_first_steps(name: str) -> None:
    for axis in METHODS[name].axes.values():
        assert (axis.high - axis.low) % axis.step == 0
        assert axis.step & (axis.step - 1) == 0


def test_c_lies_in_the_range_of_the_paper() -> None:
    axis = METHODS["linear"].axes["c"]
    found = [axis.value(number) for number in range(axis.low, axis.high + 1, axis.step)]
    assert found == pytest.approx([1e-6, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6])
    assert axis.value(8) == pytest.approx(10)


@pytest.mark.parametrize("c", [100.0, 1e4, 1e5])
def test_what_is_tried_after_another_c_is_what_is_learned_with_it_alone(c: float, make: Make) -> None:
    """A loose tolerance is met at once where the examples count much: the weights of the last C would be graded."""
    examples = make(6, 6, 6, noise=1.5, dim=32)
    tried, alone = LinearProbe(examples), LinearProbe(examples)
    before = tried.weights({"c": c / 100})
    after, expected = tried.weights({"c": c}), alone.weights({"c": c})
    change = np.abs(before["coef"] - expected["coef"]).max()
    assert np.abs(after["coef"] - expected["coef"]).max() < 0.05 * change
