from dataclasses import replace

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.tasks.learning.examples import Examples, are_of_unit_length, stratified_folds
from tests.tasks.learning.conftest import Make

ROWS = np.eye(3, 4)


@pytest.mark.parametrize(
    ("embeddings", "labels", "message"),
    [
        (ROWS, ["a", "a", "a"], "all 3 examples are of class 'a'; expected two classes"),
        (ROWS[:0], [], "there are no examples"),
        (ROWS, ["a", "b"], "3 embeddings and 2 labels"),
        (ROWS, "abc", "labels are 'abc'"),
        (ROWS, None, "labels are None"),
        (ROWS, ["a", "b", 3], "expected one string for every embedding"),
        (ROWS[0], ["a"], r"shape \(4,\); expected \(n, e\)"),
        (ROWS[:, :0], ["a", "b", "c"], r"shape \(3, 0\)"),
        (np.where(ROWS[::-1] == 1, np.nan, 0), ["a", "b", "c"], "embedding 0 holds NaN"),
        ([[0.0], [np.inf], [0.0]], ["a", "b", "c"], "embedding 1 holds NaN or is infinite"),
        ([[0.0], [1e300], [0.0]], ["a", "b", "c"], "embedding 1 holds NaN or is infinite"),
        ([[1.0], [1.0, 2.0], [1.0]], ["a", "b", "c"], "expected an array"),
    ],
)
def test_examples_that_nothing_can_be_learned_from_are_refused(
    embeddings: np.ndarray, labels: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Examples.of(embeddings, labels)


def test_classes_are_sorted_and_labels_are_their_numbers() -> None:
    examples = Examples.of(ROWS, iter(["z", "a", "z"]))
    assert examples.classes == ("a", "z")
    assert examples.labels.tolist() == [1, 0, 1]


def test_folds_are_balanced_in_every_class_and_overall() -> None:
    labels = np.repeat([0, 1, 2, 3], [11, 2, 5, 23])
    folds = stratified_folds(labels, 5, seed=3)
    assert np.ptp(np.bincount(folds)) <= 1
    for label in range(4):
        assert np.ptp(np.bincount(folds[labels == label], minlength=5)) <= 1


def test_the_only_example_of_a_class_is_in_no_fold() -> None:
    folds = stratified_folds(np.array([0, 1, 1, 2]), 5, seed=0)
    assert folds[[0, 3]].tolist() == [-1, -1]
    assert folds[1] != folds[2]


def test_the_seed_says_how_examples_are_dealt() -> None:
    labels = np.repeat([0, 1], 20)
    first, again, other = (stratified_folds(labels, 5, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_vectors_of_unit_length_are_told_even_in_half_precision(make: Make) -> None:
    embeddings = make(20, 20).embeddings
    assert are_of_unit_length(embeddings.astype(np.float16).astype(np.float32))
    assert not are_of_unit_length(np.float32(1.01) * embeddings)


def test_texts_of_another_model_are_refused(make: Make, tiny: CLIP) -> None:
    with pytest.raises(InputError, match=r"embeddings of another model than that for the texts .*weights"):
        make(2, 2).with_texts(tiny)


def test_texts_of_another_precision_are_taken_with_a_warning(tiny: CLIP) -> None:
    rounded = replace(tiny.fingerprint, precision="bfloat16")
    with pytest.warns(UserWarning, match="the examples: embeddings are computed in bfloat16, not in float32"):
        Examples.of(np.eye(2, 128), ["red-apple", "cat_face"], rounded).with_texts(tiny)


def test_texts_are_names_in_a_template_times_the_factor_of_the_model(tiny: CLIP) -> None:
    examples = Examples.of(np.eye(2, 128), ["red-apple", "cat_face"], tiny.fingerprint)
    texts = examples.with_texts(tiny, "a drawing of a {}").texts
    assert texts is not None
    assert texts.dtype == np.float32
    expected = tiny.logits(np.eye(3, 128), tiny.embed_texts(["a drawing of a cat face", "a drawing of a red apple"]))
    np.testing.assert_allclose(np.eye(3, 128) @ texts.T, expected, rtol=1e-5)
