from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.model import ops
from numpyclip.saving.loss import PICTURES, TEXTS, CosineLoss, compare, generate_pictures


def test_a_model_loses_nothing_against_itself(tiny: CLIP) -> None:
    assert compare(tiny, tiny) == {"texts": CosineLoss(0, 0), "pictures": CosineLoss(0, 0)}


def test_the_loss_is_one_minus_the_cosine(tiny: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(tiny)
    ours = tiny.encode_image(generate_pictures((64, 64)))
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
    pictures = generate_pictures((64, 64))
    assert pictures.shape == (PICTURES, 64, 64, 3)
    assert pictures.dtype == np.uint8
    np.testing.assert_array_equal(pictures, generate_pictures((64, 64)))
    # To `tiny` a photo and a drawing of a house are nearly the same; float32 tells them apart.
    for embeddings, most in ((tiny.embed_texts(TEXTS), 1 - 1e-5), (tiny.embed_images(list(pictures)), 0.9999)):
        cosines = embeddings @ embeddings.T - 2 * np.eye(len(embeddings), dtype=np.float32)
        assert cosines.max() < most


def test_what_cannot_be_measured_has_a_reason(tiny: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CLIP, "tokenize", lambda *_, **__: np.full((32, 77), 10**6))
    found = compare(tiny, tiny)
    assert found["pictures"] == CosineLoss(0, 0)
    assert "ids are in 1000000..1000000" in str(found["texts"])


def test_pictures_are_those_that_earlier_losses_were_measured_with() -> None:
    """A few pixels of each of three; sines may be rounded otherwise elsewhere."""
    pictures = generate_pictures((6, 6))[[0, 1, 15], ::2, ::3].astype(int)
    recorded = [
        [[[79, 41, 138], [156, 255, 164]], [[76, 59, 72], [141, 157, 158]], [[142, 219, 100], [117, 34, 91]]],
        [[[138, 89, 148], [152, 101, 142]], [[203, 131, 222], [58, 88, 73]], [[144, 125, 131], [8, 47, 35]]],
        [[[65, 74, 96], [116, 105, 113]], [[106, 122, 74], [116, 133, 122]], [[49, 73, 35], [91, 134, 94]]],
    ]
    assert np.abs(pictures - np.array(recorded)).max() <= 1


def test_texts_that_are_too_long_for_a_model_are_cut(tiny: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    tokenize = CLIP.tokenize

    def note(model: CLIP, texts: list[str], truncate: bool = False) -> np.ndarray:
        asked.append(truncate)
        return tokenize(model, texts, truncate)

    monkeypatch.setattr(CLIP, "tokenize", note)
    assert compare(tiny, tiny)["texts"] == CosineLoss(0, 0)
    assert asked == [True]


def test_towers_that_are_missing_have_no_loss(tiny: CLIP) -> None:
    texts = replace(tiny, config=replace(tiny.config, vision=None))
    pictures = replace(tiny, config=replace(tiny.config, text=None))
    assert list(compare(texts, texts)) == ["texts"]
    assert list(compare(pictures, pictures)) == ["pictures"]


def test_losses_of_images_that_are_not_square_are_measured() -> None:
    model, _ = numpyclip.load(Path(__file__).parents[1] / "golden" / "families" / "open_clip-wide")
    assert compare(model, model)["pictures"] == CosineLoss(0, 0)
