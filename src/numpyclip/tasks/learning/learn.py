"""EXAMPLES → PROBE, and its accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError
from numpyclip.tasks.evaluation.metrics import Confusion
from numpyclip.tasks.learning.choose import choose
from numpyclip.tasks.learning.examples import Examples, Labels, are_of_unit_length, stratified_folds
from numpyclip.tasks.learning.methods import METHODS, Settings, checked_setting
from numpyclip.tasks.learning.probe import Probe


@dataclass(frozen=True)
class Recipe:
    """The method, settings and seed of `learn`.

    Parameters
    ----------
    method : {"linear", "tip", "mean"}, default="linear"
        Logistic regression on the embeddings; Tip-Adapter; the nearest class mean.
    settings : mapping of str to float, default={}
        Fixed ones: "c" of a linear probe, "alpha" and "beta" of a Tip-Adapter, the "scale" of class means. The others
        are chosen by cross-validation.
    seed : int, default=0
        Of the cross-validation folds. Nothing else is random.

    Raises
    ------
    InputError
        If there is no such method or setting, or a setting is not a number from 1e-30 to 1e30.
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
        object.__setattr__(self, "settings", settings)  # as floats, as in files of probes
        if (seed := whole_number(self.seed)) is None or seed < 0:
            raise InputError(f"seed is {self.seed!r:.60}; expected an integer of 0 or more.")


def learn(examples: Examples, recipe: Recipe | None = None) -> Probe:
    """Learn from examples.

    Parameters
    ----------
    examples : Examples
        From `Examples.of(embeddings, labels)`.
    recipe : Recipe, optional
        By default a linear probe whose C is chosen by cross-validation.

    Returns
    -------
    Probe
        Deterministic, given the order of the examples and the seed.
    """
    recipe = recipe or Recipe()
    unit = recipe.method != "linear" or are_of_unit_length(examples.embeddings)
    method = METHODS[recipe.method]
    settings = choose(method, examples, recipe.settings, recipe.seed)
    weights = method(examples).weights(settings)
    return Probe(recipe.method, examples.classes, weights, settings, unit, examples.fingerprint)


@dataclass(frozen=True)
class Outcome:
    """Predictions for a held-out fold, (n), and its labels, (n)."""

    predicted: Labels
    labels: Labels


def cross_validate(examples: Examples, recipe: Recipe | None = None, folds: int = 5) -> Iterator[Outcome]:
    """Learn without each fold in turn, and yield the predictions for it.

    Settings are chosen within each training split. The only example of a class is never held out.

    Raises
    ------
    InputError
        If `folds` is not an integer of 2 or more.
    """
    recipe = recipe or Recipe()
    if (count := whole_number(folds)) is None or count < 2:
        raise InputError(f"folds is {folds!r:.60}; expected an integer of 2 or more.")
    numbers = stratified_folds(examples.labels, count, recipe.seed)

    def outcome(fold: int) -> Outcome:
        probe, held_out = learn(examples[numbers != fold], recipe), examples[numbers == fold]
        return Outcome(probe.probabilities(held_out.embeddings).argmax(axis=1), held_out.labels)

    return map(outcome, np.unique(numbers[numbers >= 0]).tolist())


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a cross-validation.

    Attributes
    ----------
    accuracy : float
        Share of the images that were classified correctly.
    mean_per_class_recall : float
        Mean of these shares over the classes, which thus count equally.
    recalls : dict of str to float
        The share of each class with held-out images.
    n_tested : int
    """

    accuracy: float
    mean_per_class_recall: float
    recalls: Mapping[str, float]
    n_tested: int

    @classmethod
    def of(cls, outcomes: Iterable[Outcome], classes: Sequence[str]) -> Accuracy | None:
        """Summarize what `cross_validate` yields; None if nothing was held out."""
        parts = list(outcomes)
        if not parts:
            return None
        confusion = Confusion(len(classes))
        for part in parts:
            confusion.add(part.labels.tolist(), part.predicted.tolist())
        recalls = {classes[number]: recall for number, recall in confusion.recalls.items()}
        return cls(confusion.accuracy, confusion.mean_per_class_recall, recalls, int(confusion.counts.sum()))
