"""Against the definitions, computed slowly; tools/compare_clip_benchmark.py compares with CLIP_benchmark itself."""

import math

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.tasks.evaluation.metrics import Confusion, ranks, recall_at, retrieval_recall


def test_ranks_count_what_is_higher() -> None:
    scores = [[0.1, 0.9, 0.5], [0.3, 0.2, 0.1], [0.5, 0.5, 0.5], [np.nan, 0.1, 0.2], [np.nan, np.nan, 0.0]]
    right = np.eye(3, dtype=bool)[[2, 0, 1, 0, 1]]
    assert ranks(scores, right).tolist() == [1, 0, 1, 3, 3]
    assert recall_at(ranks(scores, right), 1) == pytest.approx(0.2)
    assert recall_at(ranks(scores, right), 2) == pytest.approx(0.6)


def test_the_best_of_several_positives_counts() -> None:
    assert ranks([[0.1, 0.9, 0.5, 0.7]], np.array([[True, False, True, False]])).tolist() == [2]
    assert ranks([[0.1, 0.9]], np.array([[False, False]])).tolist() == [2]


def test_a_confusion_tells_accuracy_and_mean_recall() -> None:
    confusion = Confusion(3)
    assert math.isnan(confusion.accuracy)
    confusion.add([0, 0, 0, 1], [0, 0, 1, 1])
    confusion.add([0], [2])
    assert confusion.counts.tolist() == [[2, 1, 1], [0, 1, 0], [0, 0, 0]]
    assert confusion.accuracy == pytest.approx(3 / 5)
    assert confusion.mean_per_class_recall == pytest.approx((2 / 4 + 1) / 2)  # the third has no pictures


@pytest.mark.parametrize("block", [1, 7, 2**22])
def test_retrieval_is_what_a_slow_count_says(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.tasks.evaluation.metrics._BLOCK", block)
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(30, 8)).astype(np.float32), rng.normal(size=(70, 8)).astype(np.float32)
    owners = np.concatenate([np.arange(29), rng.integers(0, 29, 41)])  # the last picture has no text
    found = retrieval_recall(images, texts, owners)
    scores = texts @ images.T
    for k in (1, 5, 10):
        best = np.argsort(-scores, axis=1)[:, :k]
        assert found[f"image_retrieval_recall@{k}"] == pytest.approx(
            np.mean([o in b for o, b in zip(owners, best, strict=True)])
        )
        best = np.argsort(-scores.T, axis=1)[:29, :k]
        hits = [bool(set(owners[row]) & {n}) for n, row in enumerate(best)]
        assert found[f"text_retrieval_recall@{k}"] == pytest.approx(np.mean(hits))


@pytest.mark.parametrize("owners", [[0], [0, 2], [0, -1], [[0, 1]]])
def test_texts_of_no_picture_are_refused(owners: list[int]) -> None:
    with pytest.raises(InputError, match="image_of_text"):
        retrieval_recall(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), owners)
