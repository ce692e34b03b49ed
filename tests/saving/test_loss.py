from dataclasses import replace

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.model import ops
from numpyclip.saving.loss import PICTURES, TEXTS, CosineLoss, compare, generate_pictures


def test_a_model_loses_nothing_against_itself(tiny: CLIP) -> None:
    assert compare(tiny, tiny) == {"texts": CosineLoss(0, 0), "pictures": CosineLoss(0, 0)}


def test_the_loss_is_one_minus_the_cosine(tiny: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(tiny)
    ours = tiny.encode_image(generate_pictures(64))
    theirs = 3 * ours + np.abs(ours).max() * np.random.default_rng(0).random((PICTURES, 128), np.float32)
    results = iter([ours, theirs])
    monkeypatch.setattr(CLIP, "encode_image", lambda *_: next(results))
    cosines = (ops.normalize(ours) * ops.normalize(theirs)).sum(axis=1)
    found = compare(tiny, other)["pictures"]
    assert isinstance(found, CosineLoss)
    assert found.worst == pytest.approx(1 - cosines.min(), rel=1e-2)
    assert found.median == pytest.approx(1 - np.median(cosines), rel=1e-2)
    assert found.worst > found.median > 0


def test_texts_and_pictures_differ_from_each_other_and_are_always_the_same(tiny: CLIP) -> None:
    assert len(set(TEXTS)) == 32
    pictures = generate_pictures(64)
    assert pictures.shape == (PICTURES, 64, 64, 3)
    assert pictures.dtype == np.uint8
    np.testing.assert_array_equal(pictures, generate_pictures(64))
    # To `tiny` a photo and a drawing of a house are nearly the same; float32 tells them apart.
    for embeddings, most in ((tiny.embed_texts(TEXTS), 1 - 1e-5), (tiny.embed_images(list(pictures)), 0.9999)):
        cosines = embeddings @ embeddings.T - 2 * np.eye(len(embeddings), dtype=np.float32)
        assert cosines.max() < most


def test_what_cannot_be_measured_has_a_reason(tiny: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CLIP, "tokenize", lambda *_, **__: np.full((32, 77), 10**6))
    found = compare(tiny, tiny)
    assert found["pictures"] == CosineLoss(0, 0)
    assert "ids are in 1000000..1000000" in str(found["texts"])
