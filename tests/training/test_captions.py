"""What is said of drawings is true of them."""

import random

import pytest


def test_places_of_scenes_are_as_the_words_say() -> None:
    from captions import scene  # type: ignore[import-not-found]

    rng, seen = random.Random(0), set()
    for _ in range(500):
        (places, text), twin = scene("two-word dog", "cat", rng)
        (top, left), (other_top, other_left) = places[0][1], places[1][1]
        assert [which for which, _ in places] == [0, 1]
        both = (
            "two-word dog and cat",
            "a two-word dog and a cat",
            "two-word dog next to cat",
            "a two-word dog beside a cat",
        )
        assert (twin is None) == (text in both)
        if twin:
            assert twin.places == ((1, places[0][1]), (0, places[1][1]))
            assert twin.text.index("cat") < twin.text.index("dog")
        for words, is_true in {
            "to the left of": left < other_left,
            "to the right of": left > other_left,
            "on the left and": left < other_left,
            "on the right and": left > other_left,
            " above ": top < other_top,
            " over ": top < other_top,
            "on top of": top < other_top,
            " below ": top > other_top,
            " under ": top > other_top,
        }.items():
            if words in text:
                assert is_true, text
                seen.add(words)
        assert text.index("dog") < text.index("cat")
    assert len(seen) == 9


def test_which_is_left_does_not_say_which_is_higher() -> None:
    from captions import scene

    rng, seen = random.Random(0), set()
    for _ in range(200):
        (places, text), _ = scene("two-word dog", "cat", rng)
        (top, left), (other_top, other_left) = places[0][1], places[1][1]
        assert all(0 <= place <= 32 for place in (top, left, other_top, other_left))
        if "left of" in text:
            seen.add((top > other_top) - (top < other_top))
        if "above" in text:
            seen.add(((left > other_left) - (left < other_left), "above"))
    assert len(seen) == 6


def test_counts_are_as_many_as_the_words_say() -> None:
    from captions import scene

    rng, seen = random.Random(0), set()
    for _ in range(400):
        (places, text), twin = scene("dog", "cat", rng)
        if "cat" not in text:
            number, noun = text.split()
            assert noun == ("dog" if number in ("a", "one") else "dogs")
            assert len(places) == {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4}[number]
            assert {which for which, _ in places} == {0}
            assert len({place for _, place in places}) == len(places)
            assert twin is not None and len(twin.places) != len(places) and "cat" not in twin.text
            seen.add(number)
    assert seen == {"a", "one", "two", "three", "four"}


@pytest.mark.parametrize(
    ("noun", "plural"),
    [("dog", "dogs"), ("box", "boxes"), ("church", "churches"), ("cherry", "cherries"), ("key", "keys")],
)
def test_plurals(noun: str, plural: str) -> None:
    from captions import several

    assert several(noun) == plural


def test_colours_that_are_given_are_named_and_others_kept() -> None:
    from captions import Shares, names_colour, said

    known = {"cap": "house", "tags": ["home"], "words": ["dwelling"], "narrower": ["villa"], "definition": "a building"}
    texts = {said(known, random.Random(seed), Shares(1, 1, 1), "red", None) for seed in range(50)}
    assert texts == {"red house", "a red house", "red house icon", "a red house icon"}
    assert all("on" in said(known, random.Random(seed), Shares(), None, "blue").split() for seed in range(9))
    assert said(known, random.Random(0), Shares(definition=1), None, None) == "a building"
    assert names_colour("red heart") and names_colour("white flag") and not names_colour("redwood")


def test_what_is_another_thing_when_mirrored_is_not() -> None:
    from captions import may_be_mirrored

    assert may_be_mirrored("dog")
    assert not any(map(may_be_mirrored, ("left arrow", "keycap: 2", "question mark", "flag of peru")))
