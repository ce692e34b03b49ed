"""Beam search; that it equals open_clip's is tested in tests/families/test_open_clip_coca.py."""

from dataclasses import replace

import numpy as np

from numpyclip.model.captioning.beam import Ended, beam_search
from numpyclip.model.captioning.generate import Decoding, sample
from tests.model.scripted import Rule, Scripted, scattered

DECODING = Decoding(start_id=8, end_id=9, pad_id=0, min_seq_len=1, seq_len=9)
RULE = scattered(10, {9: 3.0})


def ids(*tokens: int) -> np.ndarray:
    return np.array(tokens, np.int32)


def test_the_best_by_mean_score_are_kept() -> None:
    ended = Ended(2)
    ended.add(ids(1), 4.0, 2)
    ended.add(ids(2), 9.0, 3)
    ended.add(ids(3), 2.0, 2)  # worse than both
    ended.add(ids(4), 5.0, 2)  # drops the first
    assert [score for score, _ in ended.captions] == [3.0, 2.5]
    assert ended.best() == ids(2)


def test_of_equals_the_latest_is_best() -> None:
    ended = Ended(2)
    ended.add(ids(1), 4.0, 2)
    ended.add(ids(2), 4.0, 2)
    assert ended.best() == ids(2)
    ended.add(ids(3), 4.0, 2)  # no better than the worst: not kept
    assert ended.best() == ids(2)


def test_captions_are_final_once_what_goes_on_is_no_better_than_the_worst() -> None:
    ended = Ended(2)
    ended.add(ids(1), 6.0, 2)
    assert not ended.is_final(0.0, 3)
    ended.add(ids(2), 4.0, 2)
    assert not ended.is_final(6.3, 3)
    assert ended.is_final(6.0, 3)


SMALL = Decoding(start_id=2, end_id=3, pad_id=0, min_seq_len=0, seq_len=4, num_beams=2, num_beam_groups=1)


NEVER = -99.0


def table(**logits: list[float]) -> Rule:
    """Make a rule of a table: from the tokens after the start mark to logits, 0 where there are none."""
    return lambda _, ids: logits.get("_" + "".join(map(str, ids[1:])), [0, 0, 0, 0])


def test_a_caption_that_begins_less_likely_may_be_the_best() -> None:
    rule = table(_=[5, 4, NEVER, NEVER], _0=[0, 0, NEVER, 1], _1=[0, 0, NEVER, 9])
    assert beam_search(Scripted(1, rule), 1, SMALL).tolist() == [[2, 1, 3]]
    greedy = sample(Scripted(1, rule), [np.random.default_rng()], replace(SMALL, method="greedy", pad_id=2))
    assert greedy.tolist() == [[2, 0, 3]]


def test_raw_logits_are_added_not_logarithms_of_probabilities() -> None:
    """After 1 the end is certain, after 0 it is not; but there all logits are larger."""
    rule = table(_=[1, 1.1, NEVER, NEVER], _0=[9.9, 9.9, NEVER, 10], _1=[NEVER, NEVER, NEVER, 5])
    assert beam_search(Scripted(1, rule), 1, SMALL).tolist() == [[2, 0, 3]]


def test_an_end_that_is_not_among_the_best_does_not_count() -> None:
    """It is the third best of all next tokens; but two go on, and none of them comes to as much."""
    rule = table(_=[5, 4, NEVER, 3.9])
    assert beam_search(Scripted(1, rule), 1, SMALL)[0, 1] == 0


def test_every_picture_is_what_it_would_be_alone() -> None:
    together = beam_search(Scripted(6, RULE), 6, DECODING)
    lengths = [[*row.tolist(), 9].index(9) for row in together]
    assert len(set(lengths)) > 2
    for picture, row in enumerate(together):
        alone = beam_search(Scripted(1, lambda _, ids, picture=picture: RULE(picture, ids)), 1, DECODING)[0]  # type: ignore[misc]
        np.testing.assert_array_equal(alone, row[: len(alone)])
        assert not row[len(alone) :].any()


def test_groups_are_not_computed_since_they_are_all_alike() -> None:
    one, three = Scripted(2, RULE), Scripted(2, RULE)
    expected = beam_search(one, 2, replace(DECODING, num_beams=2, num_beam_groups=1))
    np.testing.assert_array_equal(beam_search(three, 2, DECODING), expected)
    assert one.columns == three.columns


def test_an_end_mark_has_room_or_is_left_out() -> None:
    endless = scattered(10, {9: -99.0})
    found = beam_search(Scripted(2, endless), 2, DECODING)
    assert found.shape == (2, 9)
    assert not (found == 9).any()


def test_no_pictures_have_no_captions() -> None:
    assert beam_search(Scripted(0, RULE), 0, DECODING).shape == (0, 1)
