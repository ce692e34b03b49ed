"""Rotary embeddings, against what they are for: scores that know how far apart two patches lie."""

import numpy as np
import pytest

from numpyclip.model.rope import Rope, TextRope
from numpyclip.model.transformer_config import RopeConfig, TextRopeConfig

SIDE, WIDTH = 5, 8


def turned(rope: Rope, token: np.ndarray) -> np.ndarray:
    """The same token at every place: (k,) -> (k, n)."""
    x = np.repeat(token.astype(np.float32)[:, np.newaxis, np.newaxis], SIDE * SIDE, axis=2)
    rope(x)
    return x[:, 0]


@pytest.mark.parametrize("columns_first", [False, True])
def test_scores_depend_on_the_distance_of_two_patches_alone(columns_first: bool) -> None:
    random = np.random.default_rng(0)
    rope = Rope.make(RopeConfig(side=SIDE, reference=SIDE, offset=1, columns_first=columns_first), WIDTH)
    q, k = turned(rope, random.standard_normal(WIDTH)), turned(rope, random.standard_normal(WIDTH))
    scores = (q.T @ k).reshape(SIDE, SIDE, SIDE, SIDE)
    by_distance: dict[tuple[int, int], list[float]] = {}
    for y, x, v, u in np.ndindex(scores.shape):
        by_distance.setdefault((v - y, u - x), []).append(scores[y, x, v, u])
    assert all(np.ptp(values) < 1e-5 for values in by_distance.values())
    assert len(by_distance) == (2 * SIDE - 1) ** 2
    assert np.diff(np.sort([values[0] for values in by_distance.values()])).min() > 1e-5  # no two distances are alike


@pytest.mark.parametrize("columns_first", [False, True])
def test_a_pair_of_channels_is_a_point_of_a_plane(columns_first: bool) -> None:
    """By hand, for the patch in row 1, column 3, with patches laid over twice as many, and counted from 1."""
    rope = Rope.make(RopeConfig(side=SIDE, reference=2 * SIDE, offset=1, columns_first=columns_first), WIDTH)
    token = np.arange(1, WIDTH + 1)
    row, column = (1 + 1) * 2, (3 + 1) * 2
    first, second = (column, row) if columns_first else (row, column)
    angles = np.array([first, first / 100, second, second / 100])  # 1 / 10000 ** (0, 1 / 2)
    expected = (token[::2] + 1j * token[1::2]) * np.exp(1j * angles)
    found = turned(rope, token)[:, 1 * SIDE + 3]
    np.testing.assert_allclose(found[::2] + 1j * found[1::2], expected, atol=1e-5)


def test_a_class_token_is_not_turned() -> None:
    rope = Rope.make(RopeConfig(side=SIDE, reference=SIDE), WIDTH)
    x = np.random.default_rng(1).standard_normal((2, WIDTH, 3, 1 + SIDE * SIDE)).astype(np.float32)
    before = x.copy()
    rope(x)
    assert np.array_equal(x[..., 0], before[..., 0])
    assert np.array_equal(x[..., 1], before[..., 1])  # row 0, column 0
    assert not np.isclose(x[..., 2:], before[..., 2:]).all(axis=(0, 1, 2)).any()
    assert x.dtype == np.float32


def test_tokens_of_a_text_are_rotated_by_their_positions() -> None:
    """The halves of a head's channels are the two axes of its planes."""
    rope = TextRope.make(TextRopeConfig(base=100.0, length=5), 4)
    x = np.random.default_rng(0).standard_normal((2, 4, 1, 3)).astype(np.float32)
    turned = x.copy()
    rope(turned)
    for position in range(3):
        for plane, frequency in ((0, 1.0), (1, 0.1)):
            angle = np.exp(1j * frequency * position)
            expected = (x[:, plane, 0, position] + 1j * x[:, plane + 2, 0, position]) * angle
            found = turned[:, plane, 0, position] + 1j * turned[:, plane + 2, 0, position]
            assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize("columns_first", [False, True])
def test_rows_and_columns_may_be_of_different_number(columns_first: bool) -> None:
    square, wide = (
        Rope.make(RopeConfig(side=side, reference=3, columns_first=columns_first), WIDTH) for side in (3, (3, 6))
    )
    by_patch = wide.cos.reshape(-1, 3, 6)
    np.testing.assert_allclose(
        by_patch[:, :, ::2], square.cos.reshape(-1, 3, 3), rtol=1e-6
    )  # half a step of the reference
