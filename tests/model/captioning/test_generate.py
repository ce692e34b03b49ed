import math
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.model.captioning.generate import Decoding, draw, penalize, probabilities, random_numbers, sample
from tests.model.scripted import Scripted, scattered

GREEDY = Decoding(method="greedy", start_id=8, end_id=9, pad_id=0, min_seq_len=1, seq_len=9)
RULE = scattered(10, {9: 0.5, 0: -99.0})


def randoms(count: int, seed: int | None = 0) -> list[np.random.Generator]:
    return list(islice(random_numbers(seed), count))


@pytest.mark.parametrize(
    "options",
    [
        {"method": "beams"},
        {"method": None},
        {"seq_len": 5},
        {"seq_len": 30.0},
        {"seq_len": 10**9},
        {"min_seq_len": -1},
        {"min_seq_len": 0, "seq_len": 1},
        {"max_seq_len": 0},
        {"top_k": 0},
        {"top_k": True},
        {"top_p": 0},
        {"top_p": 1.1},
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": "1"},
        {"repetition_penalty": -1.0},
        {"num_beams": 0},
        {"num_beams": 6, "num_beam_groups": 4},
        {"num_beam_groups": 12},
        {"seed": -1},
        {"seed": 1.5},
        {"end_id": -1},
        {"pad_id": -1},
    ],
)
def test_an_option_out_of_range_is_named(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r" is .*; expected ") as caught:
        Decoding(**options)
    assert any(str(caught.value).startswith(option) for option in (*options, "num_beams"))


def test_the_end_mark_is_impossible_until_there_are_tokens_enough() -> None:
    logits = np.array([[1, -2, 3], [4, 5, 6]], np.float32)
    ids = np.zeros((2, 3), np.int32)
    decoding = Decoding(min_seq_len=4, end_id=2)
    np.testing.assert_array_equal(penalize(logits, ids, decoding), [[1, -2, -np.inf], [4, 5, -np.inf]])
    np.testing.assert_array_equal(penalize(logits, ids, replace(decoding, min_seq_len=3)), logits)


def test_a_penalty_makes_what_was_there_less_likely_whatever_its_sign() -> None:
    logits = np.array([[1, -2, 3], [4, 5, 6]], np.float32)
    ids = np.array([[1, 0, 1], [2, 2, 2]], np.int32)
    decoding = Decoding(repetition_penalty=2.0, min_seq_len=0, end_id=2)
    np.testing.assert_array_equal(penalize(logits, ids, decoding), [[0.5, -4, 3], [4, 5, 3]])
    np.testing.assert_array_equal(logits, [[1, -2, 3], [4, 5, 6]])


def test_the_k_likeliest_share_the_probability() -> None:
    scores = np.log(np.array([[1, 2, 4, 2]], np.float32))
    found = probabilities(scores, Decoding(method="top_k", top_k=1))
    np.testing.assert_allclose(found, [[0, 0, 1, 0]])
    found = probabilities(scores, Decoding(method="top_k", top_k=2))  # equals stay together, as in transformers
    np.testing.assert_allclose(found, [[0, 0.25, 0.5, 0.25]], rtol=1e-6)
    found = probabilities(scores, Decoding(method="top_k", top_k=99))
    np.testing.assert_allclose(found, [[1 / 9, 2 / 9, 4 / 9, 2 / 9]], rtol=1e-6)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.01, [0, 0, 1, 0]),
        (0.5, [0, 0, 1, 0]),
        (0.51, [0, 0.375, 0.625, 0]),
        (0.85, [0.1 / 0.9, 0.3 / 0.9, 0.5 / 0.9, 0]),
        (1.0, [0.1, 0.3, 0.5, 0.1]),
    ],
)
def test_the_likeliest_that_make_up_p_share_the_probability(p: float, expected: list[float]) -> None:
    scores = np.log(np.array([[0.1, 0.3, 0.5, 0.1]], np.float32))
    found = probabilities(scores, Decoding(method="top_p", top_p=p))
    if p == 0.85:  # of equals, the one that comes first goes first
        expected = [expected[3], *expected[1:3], expected[0]]
    np.testing.assert_allclose(found, [expected], rtol=1e-5)


def test_temperature_changes_how_likely_tokens_are_not_which_may_come() -> None:
    scores = np.log(np.array([[1, 2, 4]], np.float32))
    found = probabilities(scores, Decoding(method="top_k", top_k=2, temperature=0.5))
    np.testing.assert_allclose(found, [[0, 0.2, 0.8]], rtol=1e-6)
    cold = probabilities(scores * 100, Decoding(method="top_k", top_k=2, temperature=1e-30))
    np.testing.assert_array_equal(cold, [[0, 0, 1]])


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    scores = np.tile(np.array([math.log(0.2), -np.inf, math.log(0.5), math.log(0.3)], np.float32), (4000, 1))
    drawn = draw(scores, Decoding(method="top_p", top_p=1.0), randoms(4000))
    shares = np.bincount(drawn, minlength=4) / 4000
    assert shares[1] == 0
    np.testing.assert_allclose(shares, [0.2, 0, 0.5, 0.3], atol=0.03)  # four standard deviations of 0.008


def test_every_caption_is_what_it_would_be_alone() -> None:
    together = sample(Scripted(7, RULE), randoms(7), GREEDY)
    ends = [row.tolist().index(9) for row in together]
    assert len(set(ends)) > 2
    assert together.shape[1] == max(ends) + 1
    for picture, row in enumerate(together):
        alone = sample(Scripted(1, lambda _, ids, picture=picture: RULE(picture, ids)), randoms(1), GREEDY)  # type: ignore[misc]
        np.testing.assert_array_equal(alone[0], row[: ends[picture] + 1])
        assert not row[ends[picture] + 1 :].any()


def test_captions_that_have_ended_cost_nothing_more() -> None:
    prefixes = Scripted(7, RULE)
    ids = sample(prefixes, randoms(7), GREEDY)
    written = [row.tolist().index(9) for row in ids]
    forced = sum(end == GREEDY.seq_len - 1 for end in written)  # the last mark is not asked of the model
    assert prefixes.columns == sum(written) - forced


def test_the_last_token_is_the_end_mark_likely_or_not() -> None:
    ids = sample(Scripted(3, scattered(10, {9: -99.0, 0: -99.0})), randoms(3), GREEDY)
    assert ids.shape == (3, 9)
    assert (ids[:, -1] == 9).all()
    assert not (ids[:, 1:-1] == 9).any()


def test_padding_ends_a_caption() -> None:
    ids = sample(Scripted(2, scattered(10, {0: 99.0})), randoms(2), GREEDY)
    np.testing.assert_array_equal(ids, [[8, 0], [8, 0]])


def test_a_window_looks_back_at_so_many_tokens_and_sees_nothing_before() -> None:
    """It then never forces the end mark, as in open_clip: the window does not become longer."""
    decoding = replace(GREEDY, max_seq_len=3, seq_len=12)
    rule = scattered(10, {9: -99.0, 0: -99.0})
    ids = sample(Scripted(2, rule), randoms(2), decoding)
    assert ids.shape == (2, 12)
    for picture, row in enumerate(ids.tolist()):
        for n in range(1, 12):
            assert row[n] == np.argmax(rule(picture, tuple(row[max(n - 3, 0) : n])))


def test_a_seed_draws_the_same_captions_in_whatever_batches() -> None:
    decoding = replace(GREEDY, method="top_k", top_k=5, seed=3)
    together = sample(Scripted(4, RULE), randoms(4, 3), decoding)
    np.testing.assert_array_equal(together, sample(Scripted(4, RULE), randoms(4, 3), decoding))
    assert not np.array_equal(together, sample(Scripted(4, RULE), randoms(4, 4), decoding))
    numbers = random_numbers(3)
    second = list(islice(numbers, 2))
    second = list(islice(numbers, 2))
    halves = sample(Scripted(2, lambda picture, ids: RULE(picture + 2, ids)), second, decoding)
    assert not together[2:, halves.shape[1] :].any()
    np.testing.assert_array_equal(halves, together[2:, : halves.shape[1]])


def test_without_a_seed_captions_differ_from_call_to_call() -> None:
    decoding = replace(GREEDY, method="top_p", top_p=1.0, seq_len=30)
    rule = scattered(10, {9: -99.0, 0: -99.0})
    first, second = (sample(Scripted(1, rule), randoms(1, None), decoding) for _ in range(2))
    assert first.shape == second.shape == (1, 30)
    assert (first != second).any()


def test_no_pictures_have_no_captions() -> None:
    assert sample(Scripted(0, RULE), [], GREEDY).shape == (0, 1)
