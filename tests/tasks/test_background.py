"""How probable a match is, judged against everyday words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpyclip.model.clip import CLIP
from numpyclip.model.ops import normalize
from numpyclip.tasks.background import Background

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"


@pytest.fixture(scope="module")
def background(tiny: CLIP) -> Background:
    return Background(tiny)


def test_a_probability_is_the_texts_share_of_a_softmax_with_all_words(tiny: CLIP, background: Background) -> None:
    rng = np.random.default_rng(0)
    images, texts = (normalize(rng.standard_normal((n, 128)).astype(np.float32)) for n in (3, 2))
    found = background.probabilities(images, texts)
    assert found.shape == (3, 2)
    assert found.dtype == np.float32
    others = np.exp(tiny.logits(images, background.embeddings).astype(float)).sum(axis=1)
    for row in range(3):
        for column in range(2):
            own = np.exp(float(tiny.logits(images[[row]], texts[[column]])[0, 0]))
            assert found[row, column] == pytest.approx(own / (own + others[row]), rel=1e-3)


def test_gibberish_fits_no_picture_and_true_names_fit_theirs_better(tiny: CLIP, background: Background) -> None:
    names = ["airplane", "bicycle", "cat-face", "dog-face", "guitar", "umbrella"]
    images = tiny.embed_images(ALBUM / f"{name}.png" for name in names)
    true = background.probabilities(images, tiny.embed_texts([name.replace("-", " ") for name in names])).diagonal()
    gibberish = background.probabilities(images, tiny.embed_texts(["asdf", "qwxz vbn", "xkcd jkl"]))
    assert true.min() > 3 * gibberish.max()


@pytest.mark.parametrize(("scale", "bias"), [(4.6052, 0.0), (0.0, 0.0), (4.7, -16.5), (20.0, 0.0)])
def test_no_temperature_makes_it_other_than_a_probability(tiny: CLIP, scale: float, bias: float) -> None:
    model = replace(tiny, logit_scale=np.float32(scale), logit_bias=np.float32(bias))
    texts = model.embed_texts(["dog", "asdf"])
    with np.errstate(all="raise", under="ignore"):
        found = Background(model).probabilities(np.concatenate([texts, -texts]), texts)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert (found <= 1).all()
