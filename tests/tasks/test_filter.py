"""Which pictures queries keep."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.tasks.filter import Filter, Verdict, filter_pictures

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"
TEXTS = {"cat": (1, 0, 0), "dog": (0, 1, 0), "screenshot": (0, 0, 1)}


class ByHand:
    """A model whose texts lie on the axes."""

    config = SimpleNamespace(embed_dim=3)

    def embed_texts(self, texts: Sequence[str], *, truncate: bool) -> np.ndarray:
        return np.array([TEXTS[text] for text in ([texts] if isinstance(texts, str) else texts)], np.float32)


def judge(image: tuple[float, ...], **queries: Any) -> Verdict:
    (verdict,) = Filter(ByHand(), score="cosine", **queries)([image])  # type: ignore[arg-type]
    return verdict


@pytest.mark.parametrize(
    ("image", "queries", "expected"),
    [
        ((0.8, 0.6, 0), {"keep": ["cat"]}, Verdict(True, "cat", 0.8)),
        ((0.6, 0.8, 0), {"keep": ["cat"], "threshold": 0.7}, Verdict(False, "cat", 0.6)),
        ((0.6, 0.8, 0), {"keep": ["cat", "dog"], "threshold": 0.7}, Verdict(True, "dog", 0.8)),
        ((0.6, 0, 0.8), {"keep": ["cat"], "drop": ["screenshot"]}, Verdict(False, "screenshot", 0.8)),
        ((0.8, 0, 0.6), {"keep": ["cat"], "drop": ["screenshot"]}, Verdict(True, "cat", 0.8)),
        ((0.8, 0, 0.6), {"drop": ["screenshot"]}, Verdict(False, "screenshot", 0.6)),
        ((0.8, 0.6, 0), {"drop": ["screenshot"]}, Verdict(True, "screenshot", 0.0)),
        ((0, 0.8, 0.6), {"keep": ["2*dog - cat"]}, Verdict(True, "2*dog - cat", 0.715542)),
        ((0.5, 0, 0), {"keep": ["cat"]}, Verdict(True, "cat", 0.5)),  # as much as the threshold is enough
    ],
)
def test_the_best_query_decides_if_it_fits(image: tuple[float, ...], queries: Any, expected: Verdict) -> None:
    found = judge(image, **queries)
    assert (found.kept, found.query) == (expected.kept, expected.query)
    assert found.score == pytest.approx(expected.score, abs=1e-5)


def test_probabilities_tell_drawings_apart(tiny: CLIP) -> None:
    images = tiny.embed_images([ALBUM / "bicycle.png", ALBUM / "umbrella.png", ALBUM / "banana.png"])
    verdicts = Filter(tiny, ["a bicycle", "an umbrella"], ["a banana"], 0.8)(images)
    assert [(verdict.kept, verdict.query) for verdict in verdicts] == [
        (True, "a bicycle"),
        (True, "an umbrella"),
        (False, "a banana"),
    ]
    assert all(0.8 <= verdict.score <= 1 for verdict in verdicts)


def test_pictures_are_filtered_as_by_a_filter_that_is_kept(tiny: CLIP) -> None:
    paths = [ALBUM / "bicycle.png", ALBUM / "banana.png"]
    expected = Filter(tiny, ["a bicycle"], ["a banana"], 0.8)(tiny.embed_images(paths))
    assert filter_pictures(tiny, paths, "a bicycle", ["a banana"], threshold=0.8) == expected


def test_a_picture_may_be_a_query_by_its_cosine(tiny: CLIP) -> None:
    images = tiny.embed_images([ALBUM / "cat-face.png", ALBUM / "pizza.png"])
    (cat, pizza) = Filter(tiny, [str(ALBUM / "cat-face.png")], threshold=0.99, score="cosine")(images)
    assert cat.kept
    assert not pizza.kept


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ({}, "at least one query"),
        ({"keep": ["cat"], "threshold": 1.5}, "threshold is 1.5; expected a cosine, -1 to 1"),
        ({"keep": ["cat"], "threshold": -0.5, "score": "probability"}, "threshold is -0.5; expected a probability, 0"),
        ({"keep": ["cat"], "threshold": float("nan")}, "threshold is nan"),
        ({"keep": ["cat + dog"], "score": "probability"}, "is a sum or an image"),
        ({"keep": ["cat"], "threshold": "high"}, "threshold is 'high'"),
        ({"keep": ["cat"], "score": "odds"}, "score is 'odds'; expected 'probability' or 'cosine'"),
        ({"drop": ["- dog"], "score": "probability"}, "is a sum or an image"),
        ({"keep": ["nowhere.jpg"]}, "nowhere.jpg is not a file"),
    ],
)
def test_what_cannot_be_judged_is_named(queries: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Filter(ByHand(), **({"score": "cosine"} | queries))  # type: ignore[arg-type]


def test_no_pictures_have_no_verdicts() -> None:
    assert Filter(ByHand(), ["cat"], score="cosine")(np.empty((0, 3))) == []  # type: ignore[arg-type]


def test_probabilities_from_a_half_decide_by_default(tiny: CLIP) -> None:
    paths = [ALBUM / "bicycle.png", ALBUM / "banana.png"]
    expected = Filter(tiny, ["a bicycle"], ["a banana"], 0.5, "probability")(tiny.embed_images(paths))
    assert filter_pictures(tiny, paths, "a bicycle", "a banana") == expected
    assert Filter(tiny, ["a bicycle"], ["a banana"])(tiny.embed_images(paths)) == expected
    assert judge((0.49, 0, 0), keep=["cat"]).kept is False
    assert judge((0.5, 0, 0), keep=["cat"]).kept is True


@pytest.mark.parametrize(("score", "least"), [("cosine", -1), ("probability", 0)])
def test_thresholds_may_be_as_low_and_as_high_as_scores(tiny: CLIP, score: Any, least: int) -> None:
    for threshold in (least, 1, np.float32(0.5)):
        assert Filter(tiny, ["cat"], threshold=threshold, score=score)
    for threshold in (least - 0.01, 1.01):
        with pytest.raises(InputError, match=f"expected a {score}, {least} to 1"):
            Filter(tiny, ["cat"], threshold=threshold, score=score)
