from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError
from numpyclip.tasks.learning.examples import Examples
from numpyclip.tasks.learning.learn import Recipe, learn
from numpyclip.tasks.learning.methods import METHODS
from tests.tasks.learning.conftest import Make


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_sum_to_1_and_length_does_not_matter(method: str, make: Make) -> None:
    examples = make(4, 4, 4)
    probe = learn(examples, Recipe(method))
    found = probe.probabilities(examples.embeddings)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(probe.probabilities(7 * examples.embeddings), found, atol=1e-5)
    assert probe.probabilities(np.empty((0, 16))).shape == (0, 3)


def test_vectors_of_another_model_are_refused(make: Make, fingerprint: Fingerprint) -> None:
    probe = replace(learn(make(3, 3)), model="ViT-B/32")
    other = replace(fingerprint, weights="cd" * 32)
    with pytest.raises(InputError, match=r"another model \(weights: abab.*, not cdcd.*'ViT-B/32'"):
        probe.probabilities(make(3, 3).embeddings, other)
    probe.probabilities(make(3, 3).embeddings, fingerprint)
    replace(probe, fingerprint=None).check(other)  # not known, not refused


def test_vectors_of_another_precision_are_taken_with_a_warning(make: Make, fingerprint: Fingerprint) -> None:
    rounded = replace(fingerprint, precision="bfloat16")
    with pytest.warns(UserWarning, match="the probe: embeddings are computed in float32, not in bfloat16"):
        learn(make(3, 3)).probabilities(make(3, 3).embeddings, rounded)


def test_a_model_that_it_was_not_learned_with_is_refused(make: Make, tiny: CLIP, bird: Path) -> None:
    with pytest.raises(InputError, match="the probe is for embeddings of another model"):
        learn(make(3, 3)).classify(tiny, bird)


def test_pictures_are_classified_by_the_model_that_it_was_learned_with(tiny: CLIP, bird: Path) -> None:
    picture = tiny.embed_images(bird)
    examples = Examples.of([picture[0], -picture[0]], ["bird", "no bird"], tiny.fingerprint)
    assert learn(examples, Recipe("mean")).classify(tiny, bird)[0, 0] > 0.99


def test_a_probe_of_what_encode_image_returns_refuses_vectors_of_unit_length(make: Make) -> None:
    examples = make(4, 4)
    raw = replace(examples, embeddings=10 * examples.embeddings)
    probe = learn(raw, Recipe(settings={"c": 0.316}))
    assert not probe.unit
    with pytest.raises(InputError, match="are of unit length; the probe was learned from what encode_image returns"):
        probe.probabilities(examples.embeddings)
    assert np.array_equal(probe.probabilities(raw.embeddings).argmax(axis=1), raw.labels)


def test_scaling_features_is_scaling_c_by_the_square(make: Make) -> None:
    """So 0.316 of OpenAI's protocol, on features of length 10, is 31.6 on those of unit length."""
    examples = make(9, 9, 9)
    raw = replace(examples, embeddings=10 * examples.embeddings)
    unit = learn(examples, Recipe(settings={"c": 31.6})).probabilities(examples.embeddings)
    long = learn(raw, Recipe(settings={"c": 0.316})).probabilities(raw.embeddings)
    np.testing.assert_allclose(unit, long, atol=1e-4)


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [(np.ones((2, 15)), r"expected \(n, 16\)"), (np.full((2, 16), np.nan), "NaN"), (np.ones(16), r"expected \(n, e\)")],
)
def test_embeddings_that_cannot_be_are_refused(embeddings: np.ndarray, message: str, make: Make) -> None:
    with pytest.raises(InputError, match=message):
        learn(make(3, 3), Recipe("mean")).probabilities(embeddings)


def test_a_probe_prints_as_one_line(make: Make) -> None:
    probe = learn(make(3, 3), Recipe("mean"))
    assert repr(probe) == "Probe(mean, 2 classes, 16 dimensions)"
    assert repr(replace(probe, model="tiny")) == "Probe(mean, 2 classes, 16 dimensions, learned with 'tiny')"
