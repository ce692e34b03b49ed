"""Two towers, or one of them."""

from dataclasses import replace

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP, check_model
from numpyclip.errors import InputError
from tests.families.test_parity import load


def test_a_model_of_one_tower_says_so_and_scores_nothing() -> None:
    images, golden = load("transformers-clip-vision")
    texts, _ = load("transformers-clip-text")
    assert ", no texts, " in repr(images)
    assert " px, " in repr(images)
    assert ", no images, " in repr(texts)
    assert " tokens, " in repr(texts)
    for name in ("context_length", "vocab_size", "text", "tokenizer"):
        with pytest.raises(InputError, match="no tower for texts"):
            getattr(images, name)
    with pytest.raises(InputError, match="no tower for images"):
        texts.encode_image(golden["image"])
    row = np.zeros((1, images.config.embed_dim), np.float32)
    with pytest.raises(InputError, match="no tower for texts"):
        images.logits(row, row)
    with pytest.raises(InputError, match="no tower for images"):
        texts.logits(row, row)
    assert (images.logit_scale.shape, float(images.logit_scale), float(images.logit_bias)) == ((), 0, 0)


def test_embeddings_are_of_unit_length_only_where_that_is_asked_for(tiny: CLIP) -> None:
    pixels, ids = np.zeros((2, 64, 64, 3), np.uint8), tiny.tokenize(["a dog", "a cat"])
    for plain, unit in (
        (tiny.encode_image(pixels), tiny.encode_image(pixels, normalize=True)),
        (tiny.encode_text(ids), tiny.encode_text(ids, normalize=True)),
    ):
        lengths = np.linalg.norm(plain, axis=1, keepdims=True).astype(np.float32)
        assert (np.abs(lengths - 1) > 0.01).all()
        np.testing.assert_allclose(unit * lengths, plain, atol=1e-5)


def test_rows_are_images_and_columns_are_texts(tiny: CLIP) -> None:
    pixels, ids = np.zeros((3, 64, 64, 3), np.uint8), tiny.tokenize(["a dog", "a cat"])
    per_image, per_text = tiny(pixels, ids)
    assert (per_image.shape, per_text.shape) == ((3, 2), (2, 3))
    np.testing.assert_array_equal(per_text, per_image.T)
    np.testing.assert_array_equal(tiny.get_logits(pixels, ids)[0], per_image)
    images, texts = tiny.encode_image(pixels, normalize=True), tiny.encode_text(ids, normalize=True)
    np.testing.assert_allclose(per_image, np.exp(tiny.logit_scale) * images @ texts.T, rtol=1e-5)


def test_pairs_are_judged_one_by_one_with_the_bias_where_a_model_was_trained_so(tiny: CLIP) -> None:
    images, texts = np.eye(2, 128, dtype=np.float32), np.eye(3, 128, dtype=np.float32)
    biased = replace(tiny, logit_bias=np.float32(-3) * np.ones((), np.float32))
    np.testing.assert_allclose(biased.logits(images, texts), tiny.logits(images, texts) - 3, rtol=1e-6)
    sigmoid = replace(biased, config=replace(tiny.config, sigmoid=True))
    logits = sigmoid.logits(images, texts).astype(float)
    np.testing.assert_allclose(sigmoid.probabilities(images, texts), 1 / (1 + np.exp(-logits)), rtol=1e-5)
    np.testing.assert_allclose(tiny.probabilities(images, texts).sum(axis=1), 1, rtol=1e-6)


def test_what_is_no_model_is_told(tiny: CLIP) -> None:
    check_model(tiny)
    with pytest.raises(InputError, match="model: found tuple; expected a model, the first of the two values"):
        check_model((tiny, tiny.preprocess))


def test_a_notebook_says_what_each_fact_is(tiny: CLIP) -> None:
    html = tiny._repr_html_()
    titles = [row.partition("</th>")[0] for row in html.split("<th>")[1:]]
    assert titles == ["family", "images", "texts", "embeddings", "weights"]
