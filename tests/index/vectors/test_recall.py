"""How recall of a graph is measured."""

import numpy as np
import pytest

from numpyclip.index.vectors import Recall
from numpyclip.index.vectors.recall import measure, moved_as_texts, recall_of


def best(*rows: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array(rows, np.intp), np.zeros(len(rows), np.float32)


def test_the_first_half_of_the_queries_are_images() -> None:
    found = [[3, 4], [5], [8, 9], [1, 2]]
    exact = [best(4, 3), best(5, 6), best(8, 9), best(7, 0)]
    assert recall_of(found, exact, 256) == Recall(0.75, 0.5, 2, 10, 256)


def test_of_nothing_that_is_to_be_found_nothing_is_missed() -> None:
    assert recall_of([], [], 256) == Recall(1.0, 1.0, 0, 10, 256)


@pytest.mark.parametrize(
    ("finds_all", "most", "expected"),
    [(256, None, [256]), (1024, None, [256, 512, 1024]), (1024, 1000, [256, 512, 1000])],
)
def test_recall_is_that_of_the_fewest_candidates_that_find_enough(
    finds_all: int, most: int | None, expected: list[int]
) -> None:
    tried: list[int] = []

    def search(count: int) -> list[list[int]]:
        tried.append(count)
        return [[1, 2], [3, 4] if count >= finds_all else [3]]

    recall = measure(search, [best(1, 2), best(3, 4)], most)
    assert tried == expected
    assert recall == Recall(1.0, 1.0 if expected[-1] >= finds_all else 0.5, 1, 10, expected[-1])


def test_texts_have_a_cosine_with_what_they_describe() -> None:
    rows = np.eye(64, dtype=np.float32)
    moved = moved_as_texts(rows)
    np.testing.assert_allclose((moved * rows).sum(axis=1), 0.3, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-6)
    assert (moved @ moved.T).mean() > 0.3  # all in one direction
