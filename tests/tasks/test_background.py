"""How probable a match is, judged against everyday words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.model.ops import normalize
from numpyclip.tasks import background as module
from numpyclip.tasks.background import Background
from numpyclip.tasks.vocabulary import read_words

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"
GIBBERISH = ["asdf", "qwxz vbn", "xkcd jkl", "a photo of a zqwv", "lorem ipsum dolor", "brugle", "ttttt", "wq rtp"]


@pytest.fixture(scope="module")
def background(tiny: CLIP) -> Background:
    return Background(tiny)


def test_gibberish_is_refused_and_true_names_are_not(tiny: CLIP, background: Background) -> None:
    names = ["bicycle", "cat-face", "guitar", "umbrella", "sun"]
    images = tiny.embed_images(ALBUM / f"{name}.png" for name in names)
    true = background.probabilities(images, tiny.embed_texts([name.replace("-", " ") for name in names])).diagonal()
    gibberish = background.probabilities(images, tiny.embed_texts(GIBBERISH))
    assert true.min() > background.cutoff()
    assert np.mean(gibberish >= background.cutoff()) <= 0.05


def test_the_words_of_the_background_do_not_rival_a_query_that_is_one_of_them(
    tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = read_words("background")
    assert "bicycle" in words
    image, text = tiny.embed_images(ALBUM / "bicycle.png"), tiny.embed_texts("bicycle")
    found = Background(tiny).probabilities(image, text)[0, 0]
    # even ten copies of the query change little
    monkeypatch.setattr(module, "read_words", lambda _: words + ["bicycle"] * 10)
    assert Background(tiny).probabilities(image, text)[0, 0] == pytest.approx(found, abs=0.02)


def test_probabilities_are_those_of_the_formula(background: Background) -> None:
    rng = np.random.default_rng(0)
    images, texts = (normalize(rng.standard_normal((n, 128)).astype(np.float32)) for n in (3, 2))
    found = background.probabilities(images, texts, prior=0.2)
    assert found.shape == (3, 2)
    assert found.dtype == np.float32
    mean, covariance = background._mean.astype(float), background._covariance.astype(float)
    for row, image in enumerate(images.astype(float)):
        for column, text in enumerate(texts.astype(float)):
            fit = image @ (text - mean) / np.sqrt(image @ covariance @ image)
            plainness = mean @ (text - mean) / np.sqrt(mean @ covariance @ mean)
            log_odds = -2.5 + 2.1 * fit - 1.3 * max(plainness, -1) + np.log(0.2 / 0.8)
            assert found[row, column] == pytest.approx(1 / (1 + np.exp(-log_odds)), rel=2e-4)


def test_the_scale_is_one_standard_deviation_of_everyday_texts(tiny: CLIP, background: Background) -> None:
    texts = [module._FORMS[i % 3].format(word) for i, word in enumerate(read_words("background"))]
    image = tiny.embed_images(ALBUM / "guitar.png")
    fits = background._standardized(image, tiny.embed_texts(texts))
    assert fits.mean() == pytest.approx(0, abs=1e-3)
    assert fits.std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("scale", "bias"), [(4.6052, 0.0), (0.0, 0.0), (4.7, -16.5), (20.0, 0.0)])
def test_neither_temperature_nor_bias_matters(tiny: CLIP, background: Background, scale: float, bias: float) -> None:
    model = replace(tiny, logit_scale=np.float32(scale), logit_bias=np.float32(bias))
    texts = model.embed_texts(["dog", "asdf"])
    images = np.concatenate([texts, -texts])
    np.testing.assert_array_equal(
        Background(model).probabilities(images, texts), background.probabilities(images, texts)
    )


@pytest.mark.parametrize("prior", [1e-300, 0.5, 1 - 1e-16])
def test_extremes_are_probabilities_without_warnings(tiny: CLIP, background: Background, prior: float) -> None:
    texts = np.concatenate([tiny.embed_texts(["dog", "asdf"]), np.zeros((1, 128), np.float32)])
    points = np.concatenate([texts, -texts, texts * 1000])
    with np.errstate(all="raise", under="ignore"):
        found = background.probabilities(points, points, prior)
    assert ((found >= 0) & (found <= 1)).all()


def test_a_nan_stays_where_it_is(tiny: CLIP, background: Background) -> None:
    texts = tiny.embed_texts(["dog", "cat"])
    images = texts.copy()
    images[0, 3] = np.nan
    found = background.probabilities(images, texts)
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1:], background.probabilities(images[1:], texts), rtol=1e-5)


def test_nothing_is_nothing(background: Background) -> None:
    none = np.empty((0, 128), np.float32)
    assert background.probabilities(none, none).shape == (0, 0)


@pytest.mark.parametrize("prior", [0, 1, -0.5, 2.0, float("nan")])
def test_a_prior_that_is_none_is_named(background: Background, prior: float) -> None:
    with pytest.raises(InputError, match="prior is"):
        background.probabilities(np.zeros((1, 128)), np.zeros((1, 128)), prior)


def test_the_more_is_looked_at_the_more_a_match_takes(background: Background) -> None:
    cutoffs = [background.cutoff(n) for n in (0, 1, 10, 1000, 10**9)]
    assert cutoffs[:2] == [0.5, 0.5]
    assert cutoffs == sorted(cutoffs)
    assert 0.71 < cutoffs[2] < 0.72
    assert cutoffs[-1] < 1


def test_by_default_odds_are_even_and_one_image_is_searched(tiny: CLIP, background: Background) -> None:
    images, texts = tiny.embed_images(str(ALBUM / "sun.png")), tiny.embed_texts("a sun")
    assert background.probabilities(images, texts) == background.probabilities(images, texts, 0.5)
    assert background.cutoff() == background.cutoff(1) == 0.5
