"""EXAMPLES → PROBE, and how good it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError
from numpyclip.tasks.evaluation.metrics import Confusion
from numpyclip.tasks.learning.choose import choose
from numpyclip.tasks.learning.examples import Examples, Labels, are_of_unit_length, stratified_folds
from numpyclip.tasks.learning.methods import METHODS, Settings, checked_setting
from numpyclip.tasks.learning.probe import Probe


@dataclass(frozen=True)
class Recipe:
    """How to learn.

    Parameters
    ----------
    method : {"linear", "tip", "mean"}, default="linear"
        Logistic regression on the embeddings; Tip-Adapter; the nearest mean of a class.
    settings : mapping of str to float, default={}
        Those that are given: "c" of a linear probe, "alpha" and "beta" of a Tip-Adapter, the "scale" of class means.
        The others are chosen, by accuracy on a part of the examples.
    seed : int, default=0
        Of how examples are dealt to parts. Nothing else is random.

    Raises
    ------
    InputError
        If there is no such method or setting, or a setting is no number of 1e-30 to 1e30.
    """

    method: str = "linear"
    settings: Settings = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.method, str) or self.method not in METHODS:
            raise InputError(f"method is {self.method!r:.60}; expected {', '.join(METHODS)}.")
        names = METHODS[self.method].axes
        if not isinstance(self.settings, Mapping):
            raise InputError(f"settings is {self.settings!r:.60}; expected a mapping of names to numbers.")
        settings: dict[str, float] = {}
        for name, value in self.settings.items():
            if name not in names:
                raise InputError(f"method {self.method} has no setting {name!r:.60}; expected {', '.join(names)}.")
            if (number := checked_setting(value)) is None:
                raise InputError(f"{name} is {value!r:.60}; expected a number above 0 (1e-30 to 1e30).")
            settings[name] = number
        object.__setattr__(self, "settings", settings)  # as floats, which is what files of probes hold
        if (seed := whole_number(self.seed)) is None or seed < 0:
            raise InputError(f"seed is {self.seed!r:.60}; expected a whole number of 0 or more.")


def learn(examples: Examples, recipe: Recipe | None = None) -> Probe:
    """Learn from examples.

    Parameters
    ----------
    examples : Examples
        Made by `Examples.of(embeddings, labels)`.
    recipe : Recipe, optional
        A linear probe whose C is chosen, unless it says something else.

    Returns
    -------
    Probe
        The same for the same examples, in the same order, and the same seed.
    """
    recipe = recipe or Recipe()
    unit = recipe.method != "linear" or are_of_unit_length(examples.embeddings)
    method = METHODS[recipe.method]
    settings = choose(method, examples, recipe.settings, recipe.seed)
    weights = method(examples).weights(settings)
    return Probe(recipe.method, examples.classes, weights, settings, unit, examples.fingerprint)


@dataclass(frozen=True)
class Outcome:
    """What was said, (n), of pictures that were held out, and what they are, (n): numbers of classes."""

    predicted: Labels
    labels: Labels


def cross_validate(examples: Examples, recipe: Recipe | None = None, folds: int = 5) -> Iterator[Outcome]:
    """Learn as often as there are folds, each time without one of them, and yield what is said of its pictures.

    Settings that are chosen are chosen anew each time, so that nothing of a fold is known when it is tested. The only
    example of a class is never held out, for without it the class could not be learned.

    Raises
    ------
    InputError
        If `folds` is no whole number of 2 or more.
    """
    recipe = recipe or Recipe()
    if (count := whole_number(folds)) is None or count < 2:
        raise InputError(f"folds is {folds!r:.60}; expected a whole number of 2 or more.")
    numbers = stratified_folds(examples.labels, count, recipe.seed)
    return (_outcome(examples, numbers == fold, recipe) for fold in np.unique(numbers[numbers >= 0]))


def _outcome(examples: Examples, held_out: NDArray[np.bool_], recipe: Recipe) -> Outcome:
    probe = learn(examples[~held_out], recipe)
    tested = examples[held_out]
    return Outcome(probe.probabilities(tested.embeddings).argmax(axis=1), tested.labels)


@dataclass(frozen=True)
class Accuracy:
    """How good a method is for some classes.

    Attributes
    ----------
    accuracy : float
        Share of the pictures that were said to be what they are.
    mean_per_class_recall : float
        Mean of such shares of every class, so that classes with many pictures count as much as others.
    recalls : dict of str to float
        The share of each class that was tested.
    n_tested : int
    """

    accuracy: float
    mean_per_class_recall: float
    recalls: Mapping[str, float]
    n_tested: int

    @classmethod
    def of(cls, outcomes: Iterable[Outcome], classes: Sequence[str]) -> Accuracy | None:
        """Measure what `cross_validate` yields; None if there were no pictures to test with."""
        parts = list(outcomes)
        if not parts:
            return None
        confusion = Confusion(len(classes))
        for part in parts:
            confusion.add(part.labels.tolist(), part.predicted.tolist())
        recalls = {classes[number]: recall for number, recall in confusion.recalls.items()}
        return cls(confusion.accuracy, confusion.mean_per_class_recall, recalls, int(confusion.counts.sum()))
