"""Words that are true of a picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.model.ops import Array
from numpyclip.tasks.tags import Tagger, tag

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"


def chosen(tagger: Tagger, probabilities: dict[str, float]) -> list[str]:
    """Tags that are taken, if these are the probabilities of some, and 0 that of all others."""
    row = np.array([probabilities.get(word, 0) for word in tagger._tags], np.float32)
    return [found.tag for found in tagger._choose(row)]


def test_pictures_get_the_words_that_are_true_of_them(tiny: CLIP) -> None:
    bicycle, umbrella = tag(tiny, [ALBUM / "bicycle.png", ALBUM / "umbrella.png"])
    assert bicycle[0].tag == "bicycle"
    assert "umbrella" in [found.tag for found in umbrella]
    for found in (bicycle, umbrella):
        probabilities = [t.probability for t in found]
        assert probabilities == sorted(probabilities, reverse=True)
        assert all(0.05 <= p <= 1 for p in probabilities)
        assert len(found) <= 5


def test_a_list_of_ones_own_is_used_each_word_once(tiny: CLIP) -> None:
    words = ["bicycle", "guitar", "bicycle", "umbrella"]
    [found] = tag(tiny, ALBUM / "guitar.png", iter(words), threshold=0)
    assert found[0].tag == "guitar"
    assert sorted(t.tag for t in found) == sorted(set(words))


def test_nothing_is_said_where_nothing_reaches_the_threshold(tiny: CLIP) -> None:
    assert tag(tiny, ALBUM / "bicycle.png", ["asdf", "qwxz vbn"], threshold=0.6) == [[]]
    assert tag(tiny, []) == []


def test_a_longer_list_needs_a_better_match(tiny: CLIP) -> None:
    images = tiny.embed_images(ALBUM / "bicycle.png")
    [[short]] = Tagger(tiny, ["bicycle"], threshold=0)(images)
    [long] = Tagger(tiny, top_k=1000, threshold=0)(images)
    assert {t.tag: t.probability for t in long}["bicycle"] < short.probability


def test_a_narrower_tag_takes_the_place_of_a_broader_one_unless_it_is_much_less_probable(tiny: CLIP) -> None:
    tagger = Tagger(tiny)
    tagger._directions = np.eye(len(tagger._tags), dtype=np.float32)  # no two say the same
    assert chosen(tagger, {"animal": 0.9, "red": 0.8, "dog": 0.75}) == ["red", "dog"]
    assert chosen(tagger, {"dog": 0.9, "animal": 0.8, "mammal": 0.7}) == ["dog"]
    assert chosen(tagger, {"animal": 0.9, "dog": 0.3}) == ["animal", "dog"]


def test_fewer_tags_are_the_first_of_more(tiny: CLIP) -> None:
    for count in (1, 2, 3):
        tagger = Tagger(tiny, top_k=count)
        tagger._directions = np.eye(len(tagger._tags), dtype=np.float32)
        assert (
            chosen(tagger, {"animal": 0.9, "dog": 0.85, "red": 0.8, "fruit": 0.7, "apple": 0.6})
            == [*("dog", "red", "apple")][:count]
        )


def test_of_tags_that_say_the_same_the_better_is_taken(tiny: CLIP) -> None:
    tagger = Tagger(tiny, ["sofa", "couch", "table"], threshold=0)
    same: Array = np.array([[1, 0], [0.99, 0.14], [0, 1]], np.float32)
    tagger._directions = same
    assert chosen(tagger, {"sofa": 0.5, "couch": 0.6, "table": 0.1}) == ["couch", "table"]


def test_at_most_so_many_are_taken_and_a_nan_is_none(tiny: CLIP) -> None:
    tagger = Tagger(tiny, ["a", "b", "c"], top_k=2, threshold=0)
    tagger._directions = np.eye(3, dtype=np.float32)
    assert chosen(tagger, {"a": 0.1, "b": 0.2, "c": 0.3}) == ["c", "b"]
    assert tagger._choose(np.full(3, np.nan, np.float32)) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary": []}, "vocabulary is"),
        ({"vocabulary": "dog"}, "vocabulary is 'dog'"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_k": 1.5}, "top_k is 1.5"),
        ({"threshold": 1.1}, "threshold is 1.1"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": "0.1"}, "threshold is '0.1'"),
    ],
)
def test_wrong_arguments_are_named(tiny: CLIP, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tag(tiny, [], **arguments)
